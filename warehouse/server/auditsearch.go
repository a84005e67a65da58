package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// AuditLog finds records of who did what.
type AuditLog interface {
	// Search gives a page of records, the newest first. The search is a record itself, made before it returns.
	Search(ctx context.Context, by Asker, q AuditQuery) (*AuditPage, error)
}

// AuditQuery is which records are asked for; empty fields leave all through.
type AuditQuery struct {
	Clinic, Person, Entity, Action string
	// From and To are days in UTC, both included.
	From, To civil.Date
	// Before is where the page before ended (AuditPage.Next).
	Before string
	// Limit is how many records a page has at most.
	Limit int
}

// AuditPage is some of the records that were found.
type AuditPage struct {
	Records []AuditRecord `json:"records"`
	// Found is how many fit of those that were looked at: one more than there are here, where it is known that more follow.
	Found int `json:"found"`
	// Next is what to send as before for the records after these; empty where there are none. A page that came to the end of what one search
	// may read has one, and fewer records than asked for, or none.
	Next string `json:"next,omitempty"`
	// LookedBackTo is the time of the oldest record that was looked at.
	LookedBackTo time.Time `json:"looked_back_to,omitzero"`
}

// AuditRecord is one record of who did what.
type AuditRecord struct {
	// Chain is the server that recorded it, empty for a command. Number counts its records from 1.
	Chain   string         `json:"server,omitempty"`
	Number  int64          `json:"number"`
	At      time.Time      `json:"at"`
	Person  string         `json:"person"`
	Address string         `json:"address,omitempty"`
	Action  string         `json:"action"`
	Clinic  string         `json:"clinic,omitempty"`
	Entity  string         `json:"entity,omitempty"`
	Before  map[string]any `json:"before,omitempty"`
	After   map[string]any `json:"after,omitempty"`
}

// How many records a page has: where nobody says it, and at most.
const (
	usualPage   = 100
	largestPage = 500
)

// auditLog gives the log to those who may search it: at a clinic what was done there, without one everything, to those who may
// everywhere.
func (v *visit) auditLog(clinic string) (AuditLog, error) {
	log := v.server.options.AuditLog
	if clinic != "" {
		return desk(v, log, log != nil, "audit search", clinic, access.AuditView)
	}
	if !v.sees.AllowsLakeWide(access.AuditView) {
		return nil, forbidden("it needs " + string(access.AuditView) + " at all clinics, or a clinic to be named")
	}
	if log == nil {
		return nil, hasNone("audit search")
	}
	return log, nil
}

// searchAudit is GET /v1/audit.
func (v *visit) searchAudit() (*reply, error) {
	asked := v.http.URL.Query()
	q := AuditQuery{
		Clinic: asked.Get("clinic"), Person: asked.Get("person"), Entity: asked.Get("entity"), Action: asked.Get("action"),
		Before: asked.Get("before"), Limit: usualPage,
	}
	log, err := v.auditLog(q.Clinic)
	if err != nil {
		return nil, err
	}
	if text := asked.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > largestPage {
			return nil, &refusal{http.StatusBadRequest, codeBadRequest, "the limit is no number of records", "send 1 to " + strconv.Itoa(largestPage)}
		}
	}
	for name, day := range map[string]*civil.Date{"from": &q.From, "to": &q.To} {
		if *day, err = readDay(asked.Get(name)); err != nil {
			return nil, &refusal{http.StatusBadRequest, codeBadRequest, name + " is neither a day nor an instant", "send YYYY-MM-DD, or RFC 3339"}
		}
	}
	page, err := log.Search(v.http.Context(), v.asker(), q)
	if err != nil {
		return nil, err
	}
	v.event.Rows = int64(len(page.Records))
	return asJSON(page)
}
