package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// ErrTampered is in the chain of every error that says that the log is not as it was written.
var ErrTampered = errors.New("not as it was written")

// Filter says which records to find; empty fields leave all through.
type Filter struct {
	Person, Clinic, Entity string
	Action                 Action
	// From is the first moment, To the one after the last.
	From, To time.Time
}

// Passes says whether a record fits all that is asked for.
func (f Filter) Passes(r Record) bool {
	return (f.Person == "" || f.Person == r.Person) && (f.Clinic == "" || f.Clinic == r.Clinic) &&
		(f.Entity == "" || f.Entity == r.Entity) && (f.Action == "" || f.Action == r.Action) &&
		(f.From.IsZero() || !r.At.Before(f.From)) && (f.To.IsZero() || r.At.Before(f.To))
}

// Records finds records, the oldest first. It does not verify them: see Verify.
func (l *Log) Records(ctx context.Context, f Filter) ([]Record, error) {
	stored, err := l.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []Record
	for _, s := range stored {
		if s.err != nil {
			return nil, s.err
		}
		if f.Passes(s.record) {
			out = append(out, s.record)
		}
	}
	return out, nil
}

// Numbers lists the numbers of the records there are, in order.
func (l *Log) Numbers(ctx context.Context) ([]int64, error) {
	var out []int64
	for name, err := range l.store.List(ctx, folder, "") {
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if n := numberOf(name); n > 0 {
			out = append(out, n)
		}
	}
	return out, nil
}

// Read reads one record that is listed, and says how many bytes it has. It does not verify it: see Verify.
func (l *Log) Read(ctx context.Context, number int64) (r Record, bytes int, err error) {
	body, err := l.store.Get(ctx, objectName(number))
	switch {
	case errors.Is(err, lake.ErrNotFound):
		return r, 0, fmt.Errorf("audit record %d is %w: it vanished", number, ErrTampered)
	case err != nil:
		return r, 0, fmt.Errorf("reading the audit log: %w", err)
	case json.Unmarshal(body, &r) != nil:
		return r, 0, fmt.Errorf("audit record %d is %w: it cannot be read", number, ErrTampered)
	}
	return r, len(body), nil
}

// Verified says what Verify looked at.
type Verified struct {
	Records int64 `json:"records"`
	// Tip is the newest record, to be remembered outside the lake.
	Tip Tip `json:"tip"`
	// TipKnown says that the log was compared with a tip that somebody remembered.
	TipKnown bool `json:"tip_known"`
}

// Verify reads the whole log and finds any record that was changed, removed, reordered or put in. A log that was cut off at its
// end, or made anew, looks whole by itself: known is the newest record that the caller remembers, zero if none.
// All that is wrong is named; every error about it wraps ErrTampered.
func (l *Log) Verify(ctx context.Context, known Tip) (Verified, error) {
	out := Verified{TipKnown: known.Number > 0}
	stored, err := l.all(ctx)
	if err != nil {
		return out, err
	}
	var wrong []error
	tampered := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("the audit log is %w: "+format, append([]any{ErrTampered}, args...)...))
	}
	next, previous := int64(1), ""
	for _, s := range stored {
		switch {
		case s.number > next+1:
			tampered("the records %d to %d are missing", next, s.number-1)
		case s.number > next:
			tampered("record %d is missing", next)
		}
		switch {
		case errors.Is(s.err, ErrTampered):
			tampered("record %d cannot be read", s.number)
			next, previous = s.number+1, ""
			continue
		case s.err != nil:
			return out, s.err
		case s.record.Number != s.number || !s.record.Intact(s.body):
			tampered("record %d was changed", s.number)
		case s.number == next && (previous != "" || s.number == 1) && s.record.Previous != previous:
			tampered("record %d does not follow record %d as it stands", s.number, s.number-1)
		}
		if s.number == known.Number && s.record.Hash != known.Hash {
			tampered("record %d is another than this machine has seen", s.number)
		}
		out.Records++
		out.Tip = Tip{s.number, s.record.Hash}
		next, previous = s.number+1, s.record.Hash
	}
	if next <= known.Number {
		tampered("it ends before record %d, which this machine has seen", known.Number)
	}
	return out, errors.Join(wrong...)
}

// stored is a record as the lake has it.
type stored struct {
	number int64
	body   []byte
	record Record
	err    error
}

// parallel is how many records are read at once: enough to hide the way to S3.
const parallel = 16

// all reads every record, in order.
func (l *Log) all(ctx context.Context) ([]stored, error) {
	var out []stored
	for name, err := range l.store.List(ctx, folder, "") {
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if n := numberOf(name); n > 0 {
			out = append(out, stored{number: n})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range out {
		group.Go(func() error {
			s := &out[i]
			body, err := l.store.Get(ctx, objectName(s.number))
			if errors.Is(err, lake.ErrNotFound) {
				s.err = fmt.Errorf("audit record %d is %w: it vanished", s.number, ErrTampered)
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading the audit log: %w", err)
			}
			s.body = body
			if err := json.Unmarshal(body, &s.record); err != nil {
				s.err = fmt.Errorf("audit record %d is %w: it cannot be read", s.number, ErrTampered)
			}
			return nil
		})
	}
	return out, group.Wait()
}
