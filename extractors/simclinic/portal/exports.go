package portal

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// The states an export goes through.
const (
	exportWorking = "working"
	exportReady   = "ready"
	exportFailed  = "failed"
)

// export is one file being made, or made. The fields after table are set once, under the store's lock.
type export struct {
	id, account, report, format, file string
	filters                           Filters
	table                             simclinic.Table
	fault                             ExportFault

	state string
	body  []byte
}

// exports holds the exports by id and, once ready, by file name. Two exports of one report and range have one name: the
// later one replaces the earlier, also when it was narrowed to one location, which the name does not tell.
type exports struct {
	mu      sync.Mutex
	byID    map[string]*export
	byFile  map[string]*export
	life    context.Context
	end     context.CancelFunc
	working sync.WaitGroup
}

func (e *exports) open() {
	e.byID, e.byFile = map[string]*export{}, map[string]*export{}
	e.life, e.end = context.WithCancel(context.Background())
}

// shut gives up the exports that are being made, and waits for them.
func (e *exports) shut() {
	e.mu.Lock()
	e.end()
	e.mu.Unlock()
	e.working.Wait()
}

// begin adds an export and makes it after the delay. It reports false when the portal has been closed.
func (e *exports) begin(made *export, delay time.Duration, write func(*export) ([]byte, error)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.Err() != nil {
		return false
	}
	made.state = exportWorking
	e.byID[made.id] = made
	e.working.Go(func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		body, err := write(made)
		select {
		case <-timer.C:
		case <-e.life.Done():
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		made.table = headOf(made.table)
		if err != nil {
			made.state = exportFailed
			return
		}
		made.state, made.body = exportReady, body
		if earlier := e.byFile[made.file]; earlier != nil {
			earlier.body = nil
		}
		e.byFile[made.file] = made
	})
	return true
}

// find gives a copy of an export by id, or by file name once it is ready.
func (e *exports) find(name string) (export, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if found, ok := e.byID[name]; ok {
		return *found, true
	}
	if found, ok := e.byFile[name]; ok {
		return *found, true
	}
	return export{}, false
}

// previewRows is how many rows the preview page shows, and all that is kept of a table once its file is written.
const previewRows = 12

func headOf(table simclinic.Table) simclinic.Table {
	if len(table.Rows) > previewRows {
		table.Rows = slices.Clone(table.Rows[:previewRows])
	}
	return table
}

func (p *Portal) startExport(w http.ResponseWriter, r *http.Request) {
	s, account, ok := p.signedIn(w, r)
	if !ok {
		return
	}
	var form struct {
		Report string `json:"report"`
		Format string `json:"format"`
	}
	if !p.readJSON(w, r, &form) {
		return
	}
	screen, ok := findReport(form.Report)
	if !ok {
		p.refuse(w, r, refusedInput("There is no such report."))
		return
	}
	if !account.may(screen.needs) {
		p.refuse(w, r, refusedLevel)
		return
	}
	if form.Format != "xlsx" && form.Format != "csv" {
		p.refuse(w, r, refusedInput("A report can be exported to Excel or CSV."))
		return
	}
	filters := screen.over(p.filtersOf(s.username))
	if why := screen.tooLong(filters); why != "" {
		p.refuse(w, r, refusedInput(why))
		return
	}
	fault := p.faults.nextExport()
	asked := filters
	if fault == ExportOtherRange {
		asked.From, asked.To = asked.From.AddDays(-31), asked.To.AddDays(-31)
	}
	found, _, err := p.resultFor(form.Report, asked, false)
	if err != nil {
		p.refuse(w, r, refusedReport)
		return
	}
	table := found.table
	if form.Report == activityReport {
		table = p.results.shownLog(asked, func() simclinic.Table { return table })
	}
	if fault == ExportEmpty {
		table.Rows = nil
	}
	p.record(s.username, Entry{
		Action: ActionExported, Subject: screen.title + " to " + strings.ToUpper(form.Format), Filters: filters, Rows: len(table.Rows),
	})
	made := &export{
		id: strings.ToLower(rand.Text()), account: s.username, report: form.Report, format: form.Format,
		file:    p.results.current().FileName(form.Report, asked.From, asked.To, form.Format),
		filters: asked, table: table, fault: fault,
	}
	if !p.exports.begin(made, p.drawDelay(), p.write) {
		p.refuse(w, r, refusedMaintenance)
		return
	}
	p.answer(w, map[string]string{"id": made.id})
}

// write makes the bytes of an export, spoiled the way its fault says.
func (p *Portal) write(made *export) ([]byte, error) {
	if made.fault == ExportFails {
		return nil, fmt.Errorf("export %s was told to fail", made.file)
	}
	var file bytes.Buffer
	clinic := p.results.current()
	var err error
	if made.format == "csv" {
		err = clinic.WriteCSV(&file, made.table)
	} else {
		err = clinic.WriteXLSX(&file, made.table)
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", made.file, err)
	}
	body := file.Bytes()
	if made.fault == ExportTruncated {
		body = body[:len(body)/2]
	}
	return body, nil
}
