package pipeline

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Status is what a clinic's lake holds at its newest commit.
type Status struct {
	Clinic      string    `json:"clinic"`
	Lake        string    `json:"lake"`
	Commit      int64     `json:"commit"`
	CommittedAt time.Time `json:"committed_at"`
	// AsOf is the newest day that the reports show; BuiltAsOf the day the marts speak about, BuiltFrom the commit they were made
	// from, zero where there are none. Stale says that newer data has landed since.
	AsOf       civil.Date                  `json:"as_of,omitzero"`
	BuiltAsOf  civil.Date                  `json:"built_as_of,omitzero"`
	BuiltFrom  int64                       `json:"built_from,omitempty"`
	Stale      bool                        `json:"stale"`
	Datasets   []DatasetFreshness          `json:"datasets"`
	Quarantine map[string]map[string]int64 `json:"quarantine,omitempty"`
	// State says how extraction stands, Todo what to do about it, Running who is at it just now, nil for nobody. Last is how the
	// last run ended, nil before the first. Mode is the identity mode as this machine has it.
	State   State    `json:"state"`
	Todo    string   `json:"todo,omitempty"`
	Running *Lease   `json:"running,omitempty"`
	Last    *Outcome `json:"last_run,omitempty"`
	// BuildFailed is the last build's failure, nil where it succeeded.
	BuildFailed *BuildFailure `json:"build_failed,omitempty"`
	Mode        IdentityMode  `json:"identity_mode"`
	// Erasing says that the erasure of a patient was begun and has not ended.
	Erasing bool `json:"erasing,omitempty"`
	// Unsent counts messages: Waiting have not arrived yet, Lost did not in the last seven days and are not tried again.
	Unsent struct {
		Waiting int `json:"waiting"`
		Lost    int `json:"lost"`
	} `json:"messages"`
	// Closed are the months whose published figures are fixed.
	Closed []ClosedMonth `json:"closed_months,omitempty"`
}

// Quarantined counts the rows that a dataset's last reports lost to validation.
func (s *Status) Quarantined(dataset string) int64 {
	var n int64
	for _, count := range s.Quarantine[dataset] {
		n += count
	}
	return n
}

// Status reads the newest commit.
func (s *Site) Status(ctx context.Context) (*Status, error) {
	hold, err := s.Hold(ctx)
	if err != nil {
		return nil, err
	}
	lease, _, err := recordOf[Lease](s, leaseRegister, "reading who is at work").read(ctx)
	if err != nil {
		return nil, err
	}
	head, err := s.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) && (hold.Last != nil || hold.Paused != nil) {
		head, err = &lake.Commit{}, nil // nothing has landed, and there is something to say about why
	}
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	landed, err := Freshness(head)
	if err != nil {
		return nil, err
	}
	out := &Status{
		Clinic: string(s.Clinic.ID()), Lake: s.Clinic.Store().String(), Commit: head.Number, CommittedAt: head.CreatedAt.UTC(),
		AsOf: head.AsOf, Datasets: landed, Quarantine: head.Quarantine,
	}
	if current, err := s.Vault.Credentials(ctx, out.Clinic); err == nil {
		if hold.Rejected != nil && hold.Rejected.Credentials != current.ID {
			hold.Rejected = nil // a person has given others since
		}
		current.Wipe()
	}
	out.State, out.Todo = hold.State()
	out.Last, out.BuildFailed, out.Mode = hold.Last, hold.BuildFailed, s.Mode()
	if lease.Holder != "" && lease.Until.After(s.clock()) {
		out.Running = &lease
	}
	told, err := s.Messages(nil, nil).State(ctx)
	if err != nil {
		return nil, storage("looking which messages wait", err)
	}
	out.Unsent.Waiting, out.Unsent.Lost = len(told.Waiting), told.Lost(s.clock().AddDate(0, 0, -7))
	if out.Closed, err = closedMonthsOf(ctx, s.Clinic.Snapshot(head)); err != nil {
		return nil, err
	}
	erasing, err := s.erasureBegun(ctx)
	if err != nil {
		return nil, err
	}
	if out.Erasing = erasing != nil; out.Erasing && out.Todo == "" {
		out.Todo = UnfinishedErasureError{}.Error()
	}
	for _, m := range head.Marts {
		if m.Input >= out.BuiltFrom {
			out.BuiltAsOf, out.BuiltFrom = m.AsOf, m.Input
		}
		out.Stale = out.Stale || m.Input != dataCommit(head)
	}
	return out, nil
}
