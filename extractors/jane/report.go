package jane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
)

// show brings a report's screen to a range: filters reset, range set and read back, result computed anew where the
// portal offers an old one. It returns the number of rows that the screen says the report has.
func (r *run) show(ctx context.Context, e export) (rows int, err error) {
	s := r.profile.Screen
	r.answers.forget()
	r.session.Enter(stageFilter)
	opening := r.answers.count(s.Rows)
	switch here, err := r.main.place(ctx); {
	case err != nil:
		return 0, err
	case r.unsettled:
		if err := r.load(ctx, e.Route); err != nil {
			return 0, err
		}
		if err := r.settle(ctx, opening, ""); err != nil {
			return 0, err
		}
		r.unsettled = false
	case !strings.HasSuffix(here, e.Route):
		if err := r.main.follow(ctx, e.Route); err != nil {
			return 0, err
		}
		if err := r.settle(ctx, opening, ""); err != nil {
			return 0, err
		}
	}
	for _, selector := range []string{s.Heading, s.Filters, s.Menu} {
		if _, err := r.main.find(ctx, selector); err != nil {
			return 0, err
		}
	}
	if err := r.checkContract(ctx, r.main, screenFilters, e.Name); err != nil {
		return 0, err
	}
	if err := r.after(ctx, s.Reset, ""); err != nil {
		return 0, err
	}
	left, err := r.main.ask(ctx, blankScript, s.Narrowing)
	if err != nil {
		return 0, err
	}
	if left.Str() != "" {
		return 0, &unmet{expected: fmt.Sprintf("blank filters after a reset, %s still narrows the report", left.Str())}
	}
	if err := r.setRange(ctx, e); err != nil {
		return 0, err
	}
	if err := r.freshen(ctx, e); err != nil {
		return 0, err
	}
	if err := r.checkContract(ctx, r.main, screenReport, e.Name); err != nil {
		return 0, err
	}
	return r.rows(ctx)
}

// setRange types a range and applies it.
func (r *run) setRange(ctx context.Context, e export) error {
	s, w := r.profile.Screen, e.order.Window
	type field struct{ selector, value string }
	fields := []field{{s.From, w.From.String()}, {s.To, w.To.String()}}
	if e.Period == extractors.AsOf {
		fields = fields[1:] // such a screen asks for a day
	}
	open, err := r.main.has(ctx, fields[0].selector)
	if err != nil {
		return err
	}
	if !open {
		if err := r.main.click(ctx, s.Range); err != nil {
			return err
		}
	}
	for _, field := range fields {
		if err := r.main.fill(ctx, field.selector, field.value); err != nil {
			return err
		}
		typed, err := r.main.ask(ctx, valueScript, field.selector)
		if err != nil {
			return err
		}
		if typed.Str() != field.value {
			return &unmet{expected: fmt.Sprintf("%s in the field %s, found %q", field.value, field.selector, shapeOf(typed.Str()))}
		}
	}
	return r.after(ctx, s.Apply, r.profile.rangeText(e.Period, w))
}

// after clicks something that runs the report, and waits for its result.
func (r *run) after(ctx context.Context, selector, shownRange string) error {
	before := r.answers.count(r.profile.Screen.Rows)
	if err := r.main.click(ctx, selector); err != nil {
		return err
	}
	return r.settle(ctx, before, shownRange)
}

// freshen has an old result computed anew.
func (r *run) freshen(ctx context.Context, e export) error {
	s := r.profile.Screen
	cached, err := r.main.has(ctx, s.FreshCopy)
	if err != nil || !cached {
		return err
	}
	if err := r.after(ctx, s.FreshCopy, r.profile.rangeText(e.Period, e.order.Window)); err != nil {
		return err
	}
	if cached, err = r.main.has(ctx, s.FreshCopy); err != nil {
		return err
	}
	if cached {
		return fail(extractors.ExportStale, "", nil)
	}
	return nil
}

// calm is how long a screen must stay the same to count as settled. An application shows a result some time after its
// answer came, and nothing says when it has.
const calm = 40 * time.Millisecond

// settle waits until the report was answered more often than before, and the screen shows a count and, where one is
// given, the range, and no longer that it is busy; twice the same, with a pause between.
func (r *run) settle(ctx context.Context, before int, shownRange string) error {
	s := r.profile.Screen
	var seen settled
	err := r.main.until(ctx, r.timeouts.Report,
		func() string { return seen.missing(s, shownRange, r.answers.count(s.Rows) > before) },
		func(ctx context.Context) (ok bool, err error) {
			if seen, err = r.state(ctx); err != nil {
				return false, err
			}
			if shownRange == "" && seen.tooLong && r.answers.count(s.Rows) > before {
				return true, nil // the remembered range is longer than this report takes; it is about to be reset
			}
			if !seen.complete(shownRange) || r.answers.count(s.Rows) <= before || !r.profile.countText.MatchString(seen.count) {
				return false, nil
			}
			if err := wait(ctx, calm); err != nil {
				return false, err
			}
			first := seen
			seen, err = r.state(ctx)
			return err == nil && seen == first, err
		})
	if found := r.profile.countText.FindStringSubmatch(seen.count); err == nil && found != nil {
		rows, _ := strconv.Atoi(strings.ReplaceAll(found[2], ",", ""))
		r.accesses.shown(r.answers.count(s.Rows), r.profile.shownRange(seen.shown), rows)
	}
	return r.unlessUnanswered(s.Rows, err)
}

// unlessUnanswered tells a page that lacks something from a portal that has not answered what the page asked it.
func (r *run) unlessUnanswered(purpose string, err error) error {
	var unmet *unmet
	if errors.As(err, &unmet) && r.session.Ledger().Sent(purpose) > r.answers.count(purpose) {
		return fail(extractors.Network, "", fmt.Errorf("the portal was asked to %s and does not answer", purpose))
	}
	return err
}

// unlessLost is unlessUnanswered for what carries a credential. Whether the portal has refused it is not known where no
// answer came, so that it must not be sent again.
func (r *run) unlessLost(purpose string, err error) error {
	if err == nil || r.session.Ledger().Sent(purpose) == 0 {
		return err
	}
	err = r.unlessUnanswered(purpose, err)
	if failure, ok := errors.AsType[*extractors.Failure](err); ok && failure.Cause == extractors.Network && r.answers.latest(purpose) == 0 {
		failure.Err = fmt.Errorf("%w: %w", errUnanswered, failure.Err)
	}
	return err
}

// settled is what a report screen shows of its state.
type settled struct {
	busy         bool
	count, shown string
	// tooLong says that the screen refuses its range.
	tooLong bool
}

func (r *run) state(ctx context.Context) (settled, error) {
	on := r.profile.Screen
	seen, busy, err := r.main.lookAt(ctx, []string{on.Count, on.Range, r.profile.Alert}, []string{on.Busy})
	if err != nil {
		return settled{}, err
	}
	count, shown, alert := seen[0].text, seen[1].text, seen[2].text
	return settled{
		busy: busy[0] > 0, count: count, shown: shown,
		tooLong: on.TooLong != "" && count == "" && strings.Contains(strings.ToLower(alert), strings.ToLower(on.TooLong)),
	}, nil
}

func (s settled) complete(shownRange string) bool {
	return !s.busy && s.count != "" && s.shown != "" && (shownRange == "" || s.shown == shownRange)
}

// missing says all that a report screen lacks to be settled. What comes last of it on a page that is merely slow is not
// known, so nothing is left out.
func (s settled) missing(on reportScreen, shownRange string, answered bool) string {
	if !answered {
		return fmt.Sprintf("the request to %s, which was not sent or not answered", on.Rows)
	}
	var lacks []string
	if s.busy {
		lacks = append(lacks, fmt.Sprintf("an end of the computation, %s is still shown", on.Busy))
	}
	switch {
	case s.shown == "":
		lacks = append(lacks, fmt.Sprintf("one element %s with a range", on.Range))
	case shownRange != "" && s.shown != shownRange:
		lacks = append(lacks, fmt.Sprintf("the range %s in %s, found %q", shownRange, on.Range, shapeOf(s.shown)))
	}
	if len(lacks) == 0 || s.count == "" {
		lacks = append(lacks, fmt.Sprintf("a count like `50 of 1,234` in %s, found %q", on.Count, shapeOf(s.count)))
	}
	return strings.Join(lacks, "; and ")
}

// rows reads Y of "X of Y".
func (r *run) rows(ctx context.Context) (int, error) {
	text, err := r.main.find(ctx, r.profile.Screen.Count)
	if err != nil {
		return 0, err
	}
	found := r.profile.countText.FindStringSubmatch(text)
	if found == nil {
		return 0, &unmet{expected: fmt.Sprintf("a count like `50 of 1,234` in %s, found %q", r.profile.Screen.Count, shapeOf(text))}
	}
	on, errOn := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
	of, errOf := strconv.Atoi(strings.ReplaceAll(found[2], ",", ""))
	if errOn != nil || errOf != nil || on > of {
		return 0, &unmet{expected: fmt.Sprintf("a count that adds up in %s, found %q", r.profile.Screen.Count, shapeOf(text))}
	}
	return of, nil
}
