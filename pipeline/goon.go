package pipeline

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// Unfinished is a run in progress that has not landed.
type Unfinished struct {
	Day civil.Date `json:"day"`
	// From is the first day that it was asked for, zero where it reads what is due.
	From civil.Date `json:"from,omitzero"`
	// Done of Orders reports are read.
	Done    int       `json:"done"`
	Orders  int       `json:"orders"`
	Started time.Time `json:"started"`
}

// Unfinished gives the run in progress, nil for none.
func (s *Site) Unfinished(ctx context.Context) (*Unfinished, error) {
	r, _, err := recordOf[extractionRecord](s, extractionRegister, "looking for an unfinished run").read(ctx)
	if err != nil || r.Run == "" {
		return nil, err
	}
	x := &extraction{site: s, run: r, out: &Extracted{}}
	if landed, err := x.hasLanded(ctx); err != nil || landed {
		return nil, err
	}
	return &Unfinished{Day: r.Day, From: r.Plan.From, Done: r.Done, Orders: len(r.Plan.Orders), Started: r.Started}, nil
}

// GoOn gives the options of an unfinished run over a range of history, where these do not ask for another range: reading history can
// take days, and is not begun anew because it is tomorrow. Its last day stays what it was, and the run after it reads the days since.
// An unfinished run of what is due is not gone on with on another day: what is due is another then. The run that is gone on with
// is nil for none.
func (s *Site) GoOn(ctx context.Context, o PlanOptions) (PlanOptions, *Unfinished, error) {
	if len(o.Only) > 0 {
		return o, nil, nil
	}
	u, err := s.Unfinished(ctx)
	if err != nil || u == nil {
		return o, nil, err
	}
	trailing := o.Trailing
	if trailing == 0 {
		trailing = TrailingDays
	}
	asksForAnother := o.From.IsValid() && o.From != u.From
	if !u.From.IsValid() || asksForAnother || u.Day.After(o.Day) || o.Day.DaysSince(u.Day) >= trailing {
		return o, nil, nil
	}
	o.Day, o.From = u.Day, u.From
	return o, u, nil
}

// stoppedFor is the failure that a run's context has ended for, nil where it goes on, or was interrupted.
func stoppedFor(ctx context.Context) *extractors.Failure {
	failure, _ := context.Cause(ctx).(*extractors.Failure) //nolint:errorlint // the cause itself, as WithDeadline gives it
	return failure
}

// WithDeadline gives a run a time. When it is over the run ends in order: what it has read stays, for the next to go on with. A
// run that is short of it is not told.
func WithDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, &extractors.Failure{
		Cause: extractors.Deadline, Doing: "extracting", Err: fmt.Errorf("the %s that this run was given are over", d),
		Hint: "What was read stays, and the next run goes on with it; a longer --deadline lets one run do more",
	})
}

// StoppedFor gives the failure for which a context of WithDeadline has ended, in the place of an error that came of it. Other
// errors stay.
func StoppedFor(ctx context.Context, err error) error {
	if failure := stoppedFor(ctx); err != nil && failure != nil {
		return failure
	}
	return err
}
