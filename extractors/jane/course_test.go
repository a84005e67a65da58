package jane

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

var (
	courseSeed = flag.Uint64("course.seed", 0, "run TestCourses with this seed alone")
	courseRuns = flag.Int("course.runs", 20_000, "how many seeds TestCourses runs")
)

// A world is a portal of nothing but faults, drawn from a seed. It writes down all that happens, and is then judged by
// rules of its own, which know nothing of how a course decides.
type world struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	// likely is how often, of 100, something fails.
	likely int

	events []event
	live   int
	// stopped says that a person has ended the run.
	stopped bool
	cancel  context.CancelCauseFunc
}

// An event is a sign-in, an export, a check, a wait, a leave or a report that was yielded, and how it went.
type event struct {
	what  string
	order string
	cause extractors.Cause
	// lost says that a credential was sent and not answered.
	lost  bool
	wait  time.Duration
	after time.Duration
}

var errEnough = errors.New("a person stopped it")

func (w *world) chance(of100 int) bool { return w.random.IntN(100) < of100 }

// draw fails now and then, for one of the causes.
func (w *world) draw(e event, causes ...extractors.Cause) error {
	if w.random.IntN(300) == 0 {
		w.stopped = true
		w.cancel(errEnough)
	}
	if !w.chance(w.likely) {
		w.events = append(w.events, e)
		return nil
	}
	e.cause = causes[w.random.IntN(len(causes))]
	f := fail(e.cause, e.what, errors.New("drawn"))
	switch {
	case e.cause == extractors.RateLimited:
		f.After = []time.Duration{0, 0, 7 * time.Second, 15 * time.Minute, time.Hour}[w.random.IntN(5)]
		e.after = f.After
	case e.cause == extractors.Network && e.what == "sign in" && w.chance(50):
		e.lost = true
		f.Err = fmt.Errorf("%w: drawn", errUnanswered)
	}
	w.events = append(w.events, e)
	return f
}

func (w *world) visit(ctx context.Context) (Visit, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if w.live > 0 {
		w.t.Errorf("seed %d: a visit begins before the last has ended", w.seed)
	}
	err := w.draw(event{what: "sign in"},
		extractors.Network, extractors.Network, extractors.RateLimited, extractors.BrowserCrashed, extractors.WrongPassword,
		extractors.SecondFactorRequired, extractors.SecondFactorRejected, extractors.AccountLocked, extractors.AccountDeactivated,
		extractors.PermissionMissing, extractors.PermissionExcessive, extractors.PortalMaintenance, extractors.PageChanged,
		extractors.BrowserMissing, extractors.RefusedWrite)
	if err != nil {
		return nil, err
	}
	w.live++
	return &drawnVisit{world: w}, nil
}

type drawnVisit struct {
	world *world
	left  bool
}

func (v *drawnVisit) Export(ctx context.Context, order extractors.Order) (extractors.Report, error) {
	if v.left {
		v.world.t.Errorf("seed %d: a visit is used that was left", v.world.seed)
	}
	if ctx.Err() != nil {
		return extractors.Report{}, context.Cause(ctx)
	}
	err := v.world.draw(event{what: "export", order: order.ID()},
		extractors.SessionExpired, extractors.RateLimited, extractors.Network, extractors.ExportIncomplete, extractors.ExportStale,
		extractors.PageChanged, extractors.BrowserCrashed, extractors.AccountDeactivated, extractors.PermissionMissing,
		extractors.PortalMaintenance, extractors.RefusedWrite)
	return extractors.Report{Order: order.ID()}, err
}

func (v *drawnVisit) Leave(context.Context) {
	if v.left {
		v.world.t.Errorf("seed %d: a visit is left twice", v.world.seed)
	}
	v.left = true
	v.world.live--
	v.world.events = append(v.world.events, event{what: "leave"})
}

// TestCourses runs thousands of drawn portals. A seed that fails is run again by
// `go test ./extractors/jane -run TestCourses -course.seed N`.
func TestCourses(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(*courseRuns)
	if *courseSeed > 0 {
		first, last = *courseSeed, *courseSeed
	}
	profile, err := DefaultProfile()
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		ends[drawnCourse(t, profile, seed)]++
	}
	// A simulation in which something never happens proves nothing about it.
	if *courseSeed == 0 && last >= 20_000 {
		for _, cause := range extractors.Causes() {
			if cause != extractors.AgreementMissing && cause != extractors.Deadline && ends[string(cause)] == 0 {
				t.Errorf("no run ended in %s: %v", cause, ends)
			}
		}
		if ends["done"] == 0 || ends["stopped"] == 0 || ends["each"] == 0 {
			t.Errorf("the runs ended in %v", ends)
		}
	}
}

var errEach = errors.New("the disk is full")

func drawnCourse(t *testing.T, profile *Profile, seed uint64) (end string) {
	w := &world{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, seed))}
	w.likely = []int{2, 15, 40, 80}[w.random.IntN(4)]
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	w.cancel = cancel
	var orders []extractors.Order
	for i := range 1 + w.random.IntN(6) {
		day := civil.Date{Year: 2026, Month: 1, Day: 1 + i}
		orders = append(orders, extractors.Order{Report: "sales", Window: extractors.Window{From: day, To: day}})
	}
	p, err := New(Config{
		BaseURL: "http://127.0.0.1:1", Account: NewCredentials("clerk", "secret"), Orders: orders, Visit: w.visit, Profile: profile,
		Wait: func(ctx context.Context, d time.Duration) error {
			w.events = append(w.events, event{what: "wait", wait: d})
			return context.Cause(ctx)
		},
		Clock: func() time.Time { return time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC) },
		Check: func(_ context.Context, r extractors.Report) error {
			if !w.chance(w.likely / 4) {
				return nil
			}
			w.events = append(w.events, event{what: "check", order: r.Order, cause: extractors.ExportIncomplete})
			return fail(extractors.ExportIncomplete, "checking", nil)
		},
		Pause: func(ctx context.Context) error {
			if w.chance(w.likely / 10) {
				w.events = append(w.events, event{what: "pause", cause: extractors.Paused})
				return fail(extractors.Paused, "waiting", nil)
			}
			return context.Cause(ctx)
		},
		Random: rand.New(rand.NewPCG(seed, 1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Reports(ctx, func(r extractors.Report) error {
		w.events = append(w.events, event{what: "yield", order: r.Order})
		if w.chance(1) {
			return errEach
		}
		return nil
	})
	w.judge(orders, err)
	if f, ok := errors.AsType[*extractors.Failure](err); ok && f.Cause.RejectsAccount() {
		before := len(w.events)
		if again := p.Reports(t.Context(), nil); !errors.Is(again, err) || len(w.events) != before {
			t.Errorf("seed %d: after %v a second run did %v, %v", seed, err, w.events[before:], again)
		}
	}
	switch f, ok := errors.AsType[*extractors.Failure](err); {
	case err == nil:
		return "done"
	case errors.Is(err, errEnough):
		return "stopped"
	case errors.Is(err, errEach):
		return "each"
	case ok:
		return string(f.Cause)
	}
	t.Errorf("seed %d: an error of no kind: %v", seed, err)
	return ""
}

// judge holds what happened against the rules.
func (w *world) judge(orders []extractors.Order, err error) {
	bad := func(format string, args ...any) {
		w.t.Errorf("seed %d: %s\n%v\nevents %+v", w.seed, fmt.Sprintf(format, args...), err, w.events)
	}
	if w.live != 0 {
		bad("%d visits were not left", w.live)
	}
	var yielded []string
	tries := map[string]int{} // of the sign-in, or of the order, since it last succeeded
	runs := map[extractors.Cause]int{}
	for i, e := range w.events {
		rest := w.events[i+1:]
		switch {
		case e.what == "yield":
			yielded = append(yielded, e.order)
		case e.what == "sign in" && e.cause == "":
			maps.DeleteFunc(tries, func(of string, _ int) bool { return strings.HasPrefix(of, e.what) })
		case e.what == "wait", e.what == "leave", e.what == "pause", e.cause == "":
		default:
			subject := e.what
			if e.order != "" {
				subject = e.order
			}
			tries[subject+string(e.cause)]++
			runs[e.cause]++
			w.judgeFault(e, tries[subject+string(e.cause)], runs[e.cause], rest, err, bad)
		}
	}
	var want []string
	for _, o := range orders {
		want = append(want, o.ID())
	}
	if len(yielded) > len(want) || !slices.Equal(yielded, want[:min(len(yielded), len(want))]) || err == nil && len(yielded) != len(want) {
		bad("yielded %v of %v", yielded, want)
	}
}

// again is how often something of a cause may have failed and still be tried again.
var again = map[extractors.Cause]int{extractors.Network: 1, extractors.RateLimited: 3, extractors.ExportIncomplete: 1}

// judgeFault says what must follow a fault that was the nth for its subject, and the mth of its cause in the run.
func (w *world) judgeFault(e event, nth, mth int, rest []event, err error, bad func(string, ...any)) {
	goesOn := nth <= again[e.cause] && !e.lost && e.after <= 15*time.Minute
	if e.cause == extractors.SessionExpired || e.cause == extractors.BrowserCrashed {
		goesOn = mth == 1
	}
	next := slices.IndexFunc(rest, func(e event) bool { return e.what != "leave" && e.what != "wait" && e.what != "pause" })
	stopped := w.stopped || isPaused(err)
	switch {
	case goesOn && next < 0 && !stopped:
		bad("%+v was not tried again", e)
	case !goesOn && next >= 0:
		bad("after %+v came %+v", e, rest[next])
	case !goesOn && !stopped:
		f, ok := errors.AsType[*extractors.Failure](err)
		if !ok || f.Cause != e.cause || f.Hint == "" || f.Doing == "" || f.Attempts < nth {
			bad("%+v ended in another failure", e)
		}
	}
	if next < 0 {
		return
	}
	waited := time.Duration(0)
	for _, r := range rest[:next] {
		waited += r.wait
	}
	want := map[extractors.Cause]time.Duration{extractors.Network: 10 * time.Second, extractors.RateLimited: time.Minute}[e.cause]
	if e.after > 0 {
		want = e.after
	}
	if waited != want {
		bad("after %+v it waited %v, want %v", e, waited, want)
	}
}

func isPaused(err error) bool {
	f, ok := errors.AsType[*extractors.Failure](err)
	return ok && f.Cause == extractors.Paused
}
