package portal

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// Action is what somebody did in the portal.
type Action string

// The actions the activity log knows.
const (
	ActionSignedIn   Action = "Signed in"
	ActionSignedOut  Action = "Signed out"
	ActionAsked      Action = "Asked for"
	ActionRefused    Action = "Refused"
	ActionOpened     Action = "Opened"
	ActionRan        Action = "Ran report"
	ActionExported   Action = "Exported"
	ActionPreviewed  Action = "Previewed"
	ActionDownloaded Action = "Downloaded"
	ActionRecorded   Action = "Recorded payment"
)

// Entry is one line of the activity log.
type Entry struct {
	At      time.Time
	Account string
	Action  Action
	// Subject is the page, report or file, as a person would name it.
	Subject string
	// Filters are those of a report run or exported, zero otherwise.
	Filters Filters
	// Rows is the size of a report run or exported.
	Rows int
}

// Phrase is the entry as the log's screen prints it.
func (e Entry) Phrase() string {
	phrase := string(e.Action)
	if e.Subject != "" {
		phrase += " " + e.Subject
	}
	if e.Filters != (Filters{}) {
		phrase += fmt.Sprintf(" for %s to %s", e.Filters.From, e.Filters.To)
	}
	if e.Filters.Location != "" {
		phrase += " at " + e.Filters.Location
	}
	if e.Filters.Staff != "" {
		phrase += " of " + e.Filters.Staff
	}
	return phrase
}

type activityLog struct {
	mu      sync.Mutex
	entries []Entry
}

func (p *Portal) record(account string, entry Entry) {
	entry.At, entry.Account = p.now(), account
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	p.log.entries = append(p.log.entries, entry)
}

// Activity lists what the clinic's activity log holds, oldest first.
func (p *Portal) Activity() []Entry {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return append([]Entry(nil), p.log.entries...)
}

// activityTable is the log as a report, newest first, of the days in the range.
func (p *Portal) activityTable(filters Filters) simclinic.Table {
	zone := p.results.current().Zone()
	table := simclinic.Table{
		Report: activityReport, From: filters.From, To: filters.To, Headers: []string{"Time", "Staff Member", "Activity", "Rows"},
	}
	entries := p.Activity()
	for _, entry := range slices.Backward(entries) {
		local := entry.At.In(zone)
		if day := civil.DateOf(local); day.Before(filters.From) || day.After(filters.To) {
			continue
		}
		rows := ""
		if entry.Action == ActionRan || entry.Action == ActionExported {
			rows = strconv.Itoa(entry.Rows)
		}
		table.Rows = append(table.Rows, textCells(local.Format("2006-01-02 15:04:05 -0700"), entry.Account, entry.Phrase(), rows))
	}
	return table
}

func textCells(texts ...string) []simclinic.Cell {
	cells := make([]simclinic.Cell, len(texts))
	for i, text := range texts {
		cells[i] = simclinic.Cell{Kind: simclinic.Text, Text: text}
	}
	return cells
}
