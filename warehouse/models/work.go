package models

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// LeakState is one thing that somebody did about a leak. The first state of a leak, open, needs no row.
type LeakState struct {
	// LeakID is the ledger's leak_id, which stays while the leak's invoice is renumbered.
	LeakID string
	At     time.Time
	// State is open, assigned, contacted, recovered, written_off or expired.
	State string
	// Actor is the pseudonym of who did it.
	Actor string
	// Note is a code from a fixed list, never free text.
	Note string
}

// workSchema is where what people do about the marts' rows lies for models to read.
const workSchema = "work"

// workTables gives what people did as tables.
func workTables(in Inputs) []settingsTable {
	states := settingsTable{name: "leak_states", columns: []Column{
		{"leak_id", "VARCHAR"}, {"said_at", "TIMESTAMP WITH TIME ZONE"}, {"state", "VARCHAR"}, {"actor", "VARCHAR"}, {"note", "VARCHAR"},
	}}
	// Sorted, so that the order in which they came changes no hash.
	for _, s := range slices.SortedFunc(slices.Values(in.LeakStates), compareStates) {
		states.rows = append(states.rows, []any{s.LeakID, s.At.UTC().Format("2006-01-02 15:04:05.000000Z"), s.State, optional(s.Actor), optional(s.Note)})
	}
	return []settingsTable{states}
}

func (s *session) loadWork(ctx context.Context, in Inputs) error {
	for _, t := range workTables(in) {
		if err := s.fill(ctx, workSchema, t); err != nil {
			return err
		}
	}
	return nil
}

func compareStates(a, b LeakState) int {
	return cmp.Or(strings.Compare(a.LeakID, b.LeakID), a.At.Compare(b.At), strings.Compare(a.State, b.State),
		strings.Compare(a.Actor, b.Actor), strings.Compare(a.Note, b.Note))
}
