package pipeline

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// ServerAuditLog finds records of who did what, of all servers and of the commands, for people who ask a server.
//
// BUG(ServerAuditLog): a search reads the whole log, which takes seconds after some ten thousand records; one runs at a time.
type ServerAuditLog struct {
	store lake.Store
	chain *chain.Chain
	turn  chan struct{}
}

// NewServerAuditLog searches the log of a lake for a server, whose chain takes a record of each search.
func NewServerAuditLog(store lake.Store, c *chain.Chain) *ServerAuditLog {
	return &ServerAuditLog{store: store, chain: c, turn: make(chan struct{}, 1)}
}

// Search gives a page of records, the newest first.
func (l *ServerAuditLog) Search(ctx context.Context, by server.Asker, q server.AuditQuery) (*server.AuditPage, error) {
	f := audit.Filter{Person: q.Person, Clinic: q.Clinic, Entity: q.Entity, Action: audit.Action(q.Action)}
	if q.Action != "" && !f.Action.Known() {
		return nil, server.Refuse(http.StatusBadRequest, "bad_parameter", "there is no such action", "one is written like credentials.set or query.answered")
	}
	if q.From.IsValid() {
		f.From = q.From.In(time.UTC)
	}
	if q.To.IsValid() {
		f.To = q.To.AddDays(1).In(time.UTC)
	}
	found, err := l.find(ctx, f)
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	page := &server.AuditPage{Records: []server.AuditRecord{}, Found: len(found)}
	rest := found
	if q.Before != "" {
		at := slices.IndexFunc(found, func(r audit.Record) bool { return placeOfRecord(r) == q.Before })
		if at < 0 {
			return nil, server.Refuse(http.StatusBadRequest, "bad_parameter", "no page of this search ended there", "send as before what next said, and the rest as it was")
		}
		rest = found[at+1:]
	}
	for _, r := range rest[:min(q.Limit, len(rest))] {
		page.Records = append(page.Records, server.AuditRecord{
			Chain: r.Chain, Number: r.Number, At: r.At, Person: r.Person, Address: r.Address, Action: string(r.Action), Clinic: r.Clinic,
			Entity: r.Entity, Before: r.Before, After: r.After,
		})
	}
	if len(rest) > q.Limit {
		page.Next = placeOfRecord(rest[q.Limit-1])
	}
	return page, noteFor(ctx, l.chain, by, q.Clinic, searched(q, len(page.Records)))
}

// searched is the record of a search. Whom or what it was about is not in it: only that it was narrowed so.
func searched(q server.AuditQuery, records int) audit.Entry {
	after := audit.Fields{"records": records, "by_person": q.Person != "", "by_entity": q.Entity != ""}
	if q.From.IsValid() {
		after["from"] = q.From.String()
	}
	if q.To.IsValid() {
		after["to"] = q.To.String()
	}
	if q.Action != "" {
		after["action"] = q.Action
	}
	return audit.Entry{Action: audit.AuditSearched, Entity: "audit", After: after}
}

// placeOfRecord names a record among those of all chains.
func placeOfRecord(r audit.Record) string {
	return r.Chain + "/" + strconv.FormatInt(r.Number, 10)
}

// find searches what was recorded until now, what the server has not sent yet included.
func (l *ServerAuditLog) find(ctx context.Context, f audit.Filter) ([]audit.Record, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another search of the audit log: %w", ctx.Err())
	}
	if err := l.chain.Flush(ctx); err != nil {
		return nil, fmt.Errorf("sending the newest audit records: %w", err)
	}
	found, err := chain.Search(ctx, l.store, f)
	return found, storage("searching the audit log", err)
}

// SupportUses counts the requests that are on record as resting on support access. Servers send their records within seconds.
func SupportUses(ctx context.Context, store lake.Store, clinic string, g SupportGrant) (int, error) {
	records, err := chain.Search(ctx, store, usedIn(clinic, g))
	return usesOf(records, g.Reason), storage("searching the audit log", err)
}

// usedIn finds what was recorded while a grant held. A request is recorded when it ends.
func usedIn(clinic string, g SupportGrant) audit.Filter {
	return audit.Filter{Clinic: clinic, From: g.From, To: g.Ended.Add(time.Minute)}
}

// usesOf counts the requests that rested on support access of a reason at a clinic, in a time.
func usesOf(records []audit.Record, reason string) (uses int) {
	for _, r := range records {
		answered := strings.HasSuffix(string(r.Action), ".answered") || strings.HasSuffix(string(r.Action), ".refused")
		if said, ok := r.After["support"].(string); ok && said == reason && answered {
			uses++
		}
	}
	return uses
}
