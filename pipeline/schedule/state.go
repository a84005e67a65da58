package schedule

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Task is something that is done for a clinic by the clock.
type Task string

// The tasks, in the order in which a clinic's are done where several are due.
const (
	Run       Task = "run"
	Backup    Task = "backup"
	Rehearsal Task = "rehearsal"
	Report    Task = "report"
)

// Tasks lists every task.
func Tasks() []Task { return []Task{Run, Backup, Rehearsal, Report} }

// State is what became of a clinic's tasks. It holds no identity.
type State struct {
	Tasks map[Task]Progress `json:"tasks"`
}

// Progress is what became of one task.
type Progress struct {
	// Due is the newest occurrence that was begun, or passed over; Attempts how often it was tried.
	Due      time.Time `json:"due,omitzero"`
	Attempts int       `json:"attempts,omitempty"`
	Begun    time.Time `json:"begun,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	// Holder is who is at it, empty for nobody; it counts until Until, and is renewed.
	Holder string    `json:"holder,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// Last is how the last try ended, Good when one ended well.
	Last *unit.Outcome `json:"last,omitempty"`
	Good time.Time     `json:"good,omitzero"`
	// Again is when it is tried again, zero for not before the next occurrence.
	Again time.Time `json:"again,omitzero"`
}

// held says that somebody is at it.
func (p Progress) held(now time.Time) bool { return p.Holder != "" && p.Until.After(now) }

// How long a holder counts without a sign of life, and how often it gives one. A scheduler that died is taken over from after that.
const (
	holderTTL     = 15 * time.Minute
	holderRenewal = 4 * time.Minute
)

// waits are how long it takes until another try, after the first, the second, and so on.
var waits = []time.Duration{15 * time.Minute, 30 * time.Minute, 60 * time.Minute}

// causeDeadline is a run whose time was over. Its night is too: the next goes on.
const causeDeadline = "deadline"

// retry is when it is tried again after an outcome, zero for not before the next occurrence. What only a person can mend is not: the next
// night finds out, at the price of one look at the clinic's state.
func retry(o unit.Outcome, attempts int, now time.Time) time.Time {
	tries := 0
	switch o.Verdict() {
	case unit.Later:
		if o.Cause != causeDeadline {
			tries = len(waits)
		}
	case unit.Refused, unit.Bug:
		tries = 1
	default:
	}
	if attempts > tries {
		return time.Time{}
	}
	return now.Add(waits[attempts-1])
}

// A Book keeps the states of clinics. Swap replaces the one of a version, and returns lake.ErrOvertaken in its chain where another
// counts by now; after every other error it is not known.
type Book interface {
	Read(ctx context.Context, clinic string) (State, int64, error)
	Swap(ctx context.Context, clinic string, version int64, next State) (int64, error)
}

// register is the clinic's register with its state.
const register = "schedule"

// lakeBook keeps them in a lake.
type lakeBook struct {
	store    lake.Store
	mayWrite func(ctx context.Context, clinic lake.ClinicID) error
}

// InLake is the book in a lake, in which nothing is written of a clinic that mayWrite forbids.
func InLake(store lake.Store, mayWrite func(ctx context.Context, clinic lake.ClinicID) error) Book {
	return lakeBook{store, mayWrite}
}

// written tells the values of two writers apart, so that each knows whose counts.
type written struct {
	Writer string `json:"writer"`
	Value  State  `json:"value"`
}

func (b lakeBook) register(clinic string) (lake.Register, error) {
	id, err := lake.ParseClinicID(clinic)
	if err != nil {
		return lake.Register{}, err
	}
	c, err := lake.Open(b.store, id, lake.Options{})
	if err != nil {
		return lake.Register{}, err
	}
	return c.Register(register), nil
}

func (b lakeBook) Read(ctx context.Context, clinic string) (State, int64, error) {
	r, err := b.register(clinic)
	if err != nil {
		return State{}, 0, err
	}
	body, version, err := r.Read(ctx)
	if err != nil || version == 0 {
		return State{}, 0, err
	}
	var w written
	if err := json.Unmarshal(body, &w); err != nil {
		return State{}, 0, fmt.Errorf("the schedule of clinic %s is not one that this program knows: use the version of falloff that wrote it, or a newer one: %w", clinic, err)
	}
	return w.Value, version, nil
}

func (b lakeBook) Swap(ctx context.Context, clinic string, version int64, next State) (int64, error) {
	r, err := b.register(clinic)
	if err != nil {
		return 0, err
	}
	if err := b.mayWrite(ctx, lake.ClinicID(clinic)); err != nil {
		return 0, err
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(rand.Reader, raw); err != nil {
		return 0, fmt.Errorf("drawing a random number: %w", err)
	}
	body, err := json.Marshal(written{hex.EncodeToString(raw), next})
	if err != nil {
		return 0, err
	}
	return r.Swap(ctx, version, body)
}
