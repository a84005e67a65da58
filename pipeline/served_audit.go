package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// ServerAuditLog finds records of who did what, of all servers and of the commands, for people who ask a server.
// A page opens what can hold its records and no more; one search runs at a time.
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
	leave, err := l.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	found, err := chain.Find(ctx, l.store, f, q.Before, q.Limit)
	if errors.Is(err, chain.ErrCursor) {
		return nil, server.Refuse(http.StatusBadRequest, "bad_parameter", "no page of this search ended there", "send as before what next said, and the rest as it was")
	}
	if err != nil {
		return nil, storage("searching the audit log", err)
	}
	page := &server.AuditPage{Records: []server.AuditRecord{}, Found: len(found.Records), Next: found.Next, LookedBackTo: found.Back}
	if found.More {
		page.Found++
	}
	for _, r := range found.Records {
		page.Records = append(page.Records, server.AuditRecord{
			Chain: r.Chain, Number: r.Number, At: r.At, Person: r.Person, Address: r.Address, Action: string(r.Action), Clinic: r.Clinic,
			Entity: r.Entity, Before: r.Before, After: r.After,
		})
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

// find searches all that was recorded until now, what the server has not sent yet included.
func (l *ServerAuditLog) find(ctx context.Context, f audit.Filter) ([]audit.Record, error) {
	leave, err := l.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	found, err := chain.Search(ctx, l.store, f)
	return found, storage("searching the audit log", err)
}

// enter waits for a search's turn, and sends what the server has not sent yet.
func (l *ServerAuditLog) enter(ctx context.Context) (leave func(), err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another search of the audit log: %w", ctx.Err())
	}
	leave = func() { <-l.turn }
	if err := l.chain.Flush(ctx); err != nil {
		leave()
		return nil, fmt.Errorf("sending the newest audit records: %w", err)
	}
	return leave, nil
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
