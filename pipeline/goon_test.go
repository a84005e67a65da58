package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// frugalPortal is a portal without waits that says what each export took.
type frugalPortal struct {
	stillPortal

	// read are the reports that were given, on all visits.
	read []string
	// before, if set, is called when a report is asked for.
	before func()
}

// taking is how many requests an export takes there.
func taking(report string) int { return 5 + len(report) }

func (p *frugalPortal) Visit(orders []extractors.Order, w Watch) (extractors.Source, error) {
	p.ordered = orders
	return frugalSource{p, w}, nil
}

type frugalSource struct {
	*frugalPortal
	watch Watch
}

func (s frugalSource) Reports(ctx context.Context, each func(extractors.Report) error) error {
	spent := 0
	tell := func() error {
		n := spent
		spent = 0
		return s.watch.Budget(n)
	}
	defer func() { _ = tell() }()
	for i, o := range s.ordered {
		if err := s.watch.Before(ctx); err != nil {
			return err
		}
		if err := tell(); err != nil {
			return err
		}
		if i == 0 {
			spent += 40 // the sign-in
		}
		if s.before != nil {
			s.before()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		spent += taking(o.Report)
		s.read = append(s.read, o.ID())
		if err := each(s.world.report(o, s.day)); err != nil {
			return err
		}
	}
	spent += 3 // the way out
	return nil
}

// backfill is a clinic whose history is read on days with few requests each.
type backfill struct {
	*nights

	portal frugalPortal
	now    time.Time
}

func newBackfill(t *testing.T) *backfill {
	b := &backfill{nights: newNights(t, 3), now: time.Date(2026, time.March, 11, 8, 0, 0, 0, time.UTC)}
	b.portal.stillPortal = b.nights.portal
	b.clinic.now = func() time.Time { return b.now }
	return b
}

// run is what falloff run does on a day: from is what --from says.
func (b *backfill) run(ctx context.Context, t *testing.T, from civil.Date, budget int) (*Extracted, *Unfinished, error) {
	t.Helper()
	plan, unfinished, err := b.clinic.GoOn(context.Background(), PlanOptions{Day: civil.DateOf(b.now).AddDays(-1), Trailing: 40, Ahead: 30, From: from})
	if err != nil {
		t.Fatal(err)
	}
	out, err := b.clinic.Extract(ctx, ExtractOptions{
		Portal: &b.portal, Credentials: "right", Account: secret.FromText("clerk"), Settings: &b.typed, Seal: plainCipher{}, Budget: budget, Plan: plan,
	})
	return out, unfinished, err
}

// TestHistoryOverDays reads history with so few requests a day that it takes several: each day goes on with what was read, asks
// for no report twice, and says how far it has come. The day after that reads what has happened since.
func TestHistoryOverDays(t *testing.T) {
	t.Parallel()
	b := newBackfill(t)
	first := civil.DateOf(b.now).AddDays(-1)
	plan, err := b.clinic.Plan(t.Context(), b.portal.Kinds(), PlanOptions{Day: first, Trailing: 40, Ahead: 30, From: simFirst})
	if err != nil {
		t.Fatal(err)
	}
	const budget = 60
	e := plan.Estimate(budget)
	if e.Exports != len(plan.Orders) || e.Measured != 0 || e.Requests != requestsAVisit+requestsAnExport*e.Exports || e.Days != (e.Requests+budget-1)/budget {
		t.Errorf("the estimate is %+v", e)
	}
	days := 0
	for ; ; days++ {
		from := simFirst
		if days == 1 {
			from = civil.Date{} // the night's own run, which says nothing of history
		}
		before := len(b.portal.read)
		out, unfinished, err := b.run(t.Context(), t, from, budget)
		if (unfinished != nil) != (days > 0) || unfinished != nil && (unfinished.Done != before || unfinished.Orders != len(plan.Orders) || unfinished.Day != first || unfinished.From != simFirst) {
			t.Errorf("on day %d, with %d reports read, the unfinished run is %+v", days, before, unfinished)
		}
		if out.Discarded != "" || out.Resumed != before || out.Orders != len(plan.Orders) {
			t.Fatalf("on day %d %d of %d reports are gone on with, %d were read; discarded %q", days, out.Resumed, out.Orders, before, out.Discarded)
		}
		if err == nil {
			if out.Day != first || out.Commit == 0 {
				t.Errorf("it landed %+v", out)
			}
			break
		}
		failure, ok := errors.AsType[*extractors.Failure](err)
		if !ok || failure.Cause != extractors.RateLimited || days > 9 || len(b.portal.read) == before {
			t.Fatalf("on day %d, after %d reports: %v", days, len(b.portal.read), err)
		}
		if out, _, err := b.run(t.Context(), t, simFirst, budget); err == nil || out.Resumed != len(b.portal.read) {
			t.Errorf("a second run on day %d: %+v, %v", days, out, err)
		}
		b.now = b.now.AddDate(0, 0, 1)
	}
	if days < 3 {
		t.Errorf("it took %d days and was to take some", days+1)
	}
	if len(b.portal.read) != len(plan.Orders) || len(slices.Compact(slices.Sorted(slices.Values(b.portal.read)))) != len(plan.Orders) {
		t.Errorf("%d reports were read, some of them twice; planned were %d", len(b.portal.read), len(plan.Orders))
	}
	whole := newBackfill(t)
	if _, _, err := whole.run(t.Context(), t, simFirst, -1); err != nil {
		t.Fatal(err)
	}
	got, want := b.rows(t, whole.head(t).Datasets, first), whole.rows(t, whole.head(t).Datasets, first)
	compareRows(t, days, got, want)

	// From now on it is known what the reports take.
	b.now = b.now.AddDate(0, 0, 1)
	out, unfinished, err := b.run(t.Context(), t, civil.Date{}, -1)
	if err != nil || unfinished != nil || out.Day != civil.DateOf(b.now).AddDays(-1) {
		t.Fatalf("the next night: %+v, %+v, %v", out, unfinished, err)
	}
	plan, err = b.clinic.Plan(t.Context(), b.portal.Kinds(), PlanOptions{Day: civil.DateOf(b.now), Trailing: 40, Ahead: 30, From: simFirst})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range plan.Orders {
		if o.Measured && o.Requests != taking(o.Report) {
			t.Errorf("%s is said to take %d requests, and takes %d", o.Report, o.Requests, taking(o.Report))
		}
		if wanted := o.Report == "sales" || o.Report == "claims"; wanted && !o.Measured {
			t.Errorf("of %s it is not known what it takes", o.Report)
		}
	}
	if e := plan.Estimate(0); e.Measured == 0 || strings.Contains(e.Basis(), "Nothing is known") || e.Budget != DefaultBudget || e.Days != 1 {
		t.Errorf("the estimate is %+v: %s", e, e.Basis())
	}
}

// What is due is not gone on with on another day, nor is a range that nobody asks for any more, or that is too long ago.
func TestGoOn(t *testing.T) {
	t.Parallel()
	day := simLast
	other := simFirst.AddDays(9)
	for name, test := range map[string]struct {
		begun, asked PlanOptions
		goesOn       bool
	}{
		"history":               {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day.AddDays(1), From: simFirst}, true},
		"history, in the night": {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day.AddDays(3)}, true},
		"history, the same day": {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day}, true},
		"other history":         {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day.AddDays(1), From: other}, false},
		"what is due":           {PlanOptions{Day: day}, PlanOptions{Day: day.AddDays(1)}, false},
		"long ago":              {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day.AddDays(TrailingDays)}, false},
		"days before":           {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day.AddDays(-1)}, false},
		"some reports":          {PlanOptions{Day: day, From: simFirst}, PlanOptions{Day: day.AddDays(1), Only: []string{"sales"}}, false},
		"history, where due is": {PlanOptions{Day: day}, PlanOptions{Day: day, From: simFirst}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackfill(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			b.portal.before = func() {
				if len(b.portal.read) == 2 {
					stop()
				}
			}
			extract := func(ctx context.Context, o PlanOptions) (*Extracted, error) {
				return b.clinic.Extract(ctx, ExtractOptions{
					Portal: &b.portal, Credentials: "right", Settings: &b.typed, Seal: plainCipher{}, Budget: -1, Plan: o,
				})
			}
			if _, err := extract(ctx, test.begun); !errors.Is(err, context.Canceled) {
				t.Fatalf("the first: %v", err)
			}
			got, unfinished, err := b.clinic.GoOn(t.Context(), test.asked)
			if err != nil || (unfinished != nil) != test.goesOn {
				t.Fatalf("%+v, %v", unfinished, err)
			}
			if test.goesOn && (got.Day != test.begun.Day || got.From != test.begun.From) || !test.goesOn && (got.Day != test.asked.Day || got.From != test.asked.From) {
				t.Errorf("the plan is of %+v", got)
			}
			b.portal.before = nil
			out, err := extract(t.Context(), got)
			if err != nil || (out.Resumed > 0) != test.goesOn {
				t.Errorf("%d reports were gone on with, discarded %q, %v", out.Resumed, out.Discarded, err)
			}
		})
	}
}

// TestOrderedTwice is what a queue does with a history and the nights beside it: whoever orders what has landed already reads nothing, whether
// the order itself landed it or a night that went on with it, and whatever landed since.
func TestOrderedTwice(t *testing.T) {
	t.Parallel()
	b := newBackfill(t)
	first := civil.DateOf(b.now).AddDays(-1)
	order := func(o PlanOptions, budget int) (*Extracted, error) {
		t.Helper()
		o.Trailing, o.Ahead = 40, 30
		o, _, err := b.clinic.GoOn(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return b.clinic.Extract(t.Context(), ExtractOptions{
			Portal: &b.portal, Credentials: "right", Account: secret.FromText("clerk"), Settings: &b.typed, Seal: plainCipher{}, Budget: budget, Plan: o, Once: true,
		})
	}
	history, night := PlanOptions{Day: first, From: simFirst}, PlanOptions{Day: first.AddDays(1)}
	if _, err := order(history, 60); err == nil {
		t.Fatal("the history took less than a day")
	}
	reads := func(name string, o PlanOptions, want bool) {
		t.Helper()
		before := len(b.portal.read)
		out, err := order(o, -1)
		if err != nil || out.Commit == 0 || (len(b.portal.read) > before) != want {
			t.Errorf("%s: %d reports were read, %v", name, len(b.portal.read)-before, err)
		}
	}
	b.now = b.now.AddDate(0, 0, 1)
	reads("the night, which goes on with the history", night, true)
	reads("the history, which the night has landed", history, false)
	reads("a shorter history", PlanOptions{Day: first, From: simFirst.AddDays(3)}, false)
	reads("the night, whose own day is missing", night, true)
	reads("the night again", night, false)
	reads("the night before", PlanOptions{Day: first}, false)
	reads("the history again", history, false)
	reads("a longer history", PlanOptions{Day: first, From: simFirst.AddDays(-5)}, true)
	reads("the night after a history that ended before it", night, false)
	reads("the next night", PlanOptions{Day: first.AddDays(2)}, true)
	reads("the history, up to a later day", PlanOptions{Day: first.AddDays(2), From: simFirst}, true)
}

// TestDeadline ends a run when its time is over: under that name, with what was read, and without forgetting a sign-in whose
// outcome nobody knows.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, signedIn := range map[string]bool{"in a report": true, "in the sign-in": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackfill(t)
			ctx, stop := WithDeadline(t.Context(), time.Nanosecond)
			defer stop()
			over := ctx
			working, end := context.WithCancelCause(t.Context())
			defer end(nil)
			b.portal.before = func() {
				if len(b.portal.read) > 0 || !signedIn {
					<-over.Done()
					end(context.Cause(over))
				}
			}
			out, _, err := b.run(working, t, simFirst, -1)
			failure, ok := errors.AsType[*extractors.Failure](StoppedFor(working, err))
			if !ok || failure.Cause != extractors.Deadline || !strings.Contains(failure.Error(), "1ns") {
				t.Fatalf("it ended with %v", err)
			}
			hold, err := b.clinic.Hold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if state, todo := hold.State(); state != StateLater || !strings.Contains(todo, "goes on") || hold.Last.Cause != extractors.Deadline {
				t.Errorf("the state is %q: %s", state, todo)
			}
			if (hold.Attempt == nil) != signedIn {
				t.Errorf("the attempt is %+v", hold.Attempt)
			}
			if !signedIn {
				return
			}
			b.portal.before = nil
			read := len(b.portal.read)
			out, _, err = b.run(t.Context(), t, simFirst, -1)
			if err != nil || out.Resumed != read || read == 0 {
				t.Errorf("the next run goes on with %d of %d reports: %v", out.Resumed, read, err)
			}
		})
	}
	if err := StoppedFor(t.Context(), context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("an interruption becomes %v", err)
	}
}
