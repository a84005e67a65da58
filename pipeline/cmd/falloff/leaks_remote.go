package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/falloff-analytics/falloff/pipeline"
)

// mostRemoteLeaks is how many leaks the work list of a server has at most.
const mostRemoteLeaks = 1000

// remoteLeaks prints what a server shows of leaks to whoever asks: the sums by category as a table, else the work list.
func (a *app) remoteLeaks(ctx context.Context, o remoteFlags, format string) error {
	at, clinic, err := a.remoteClinic(o)
	if err != nil {
		return err
	}
	asked := map[string]any{"clinic": clinic, "query": "leaks_by_category", "params": map[string]any{"certainty": "all"}}
	if format != formatTable {
		asked["query"], asked["params"] = "worst_open_leaks", map[string]any{"certainty": "all", "limit": mostRemoteLeaks}
	}
	columns, rows, err := at.query(ctx, asked)
	if err != nil {
		return err
	}
	if len(rows) == mostRemoteLeaks {
		a.tellf("These are the %d largest; ask by category with falloff query worst_open_leaks for others.", len(rows))
	}
	return printRows(a.stdout, format, columns, rows)
}

func (a *app) remoteClinic(o remoteFlags) (*remote, string, error) {
	at, err := a.remote(o)
	if err != nil {
		return nil, "", err
	}
	clinic, err := need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic)
	return at, clinic, err
}

// sayRemotely says something of leaks to a server.
func (a *app) sayRemotely(ctx context.Context, o remoteFlags, steps []pipeline.LeakStep) error {
	at, clinic, err := a.remoteClinic(o)
	if err != nil {
		return err
	}
	sent := make([]map[string]string, len(steps))
	for i, s := range steps {
		sent[i] = map[string]string{"leak_id": s.LeakID, "state": s.State, "expected": s.Expected, "assignee": s.Assignee, "note": s.Note}
	}
	body, err := at.ask(ctx, http.MethodPost, "/v1/leaks", nil, map[string]any{"clinic": clinic, "steps": sent})
	if err != nil {
		return err
	}
	var answer struct {
		Said []pipeline.LeakSaid `json:"said"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if a.json {
		return a.printValue(answer.Said)
	}
	return a.printSaid(answer.Said)
}

// remoteHistory asks a server what became of a leak.
func (a *app) remoteHistory(ctx context.Context, o remoteFlags, leakID string) (*pipeline.LeakHistory, error) {
	at, clinic, err := a.remoteClinic(o)
	if err != nil {
		return nil, err
	}
	body, err := at.ask(ctx, http.MethodGet, "/v1/leaks/history", url.Values{"clinic": {clinic}, "leak": {leakID}}, nil)
	if err != nil {
		return nil, err
	}
	var history pipeline.LeakHistory
	if err := json.Unmarshal(body, &history); err != nil {
		return nil, fmt.Errorf("reading the server's answer: %w", err)
	}
	return &history, nil
}
