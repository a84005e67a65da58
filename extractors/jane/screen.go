package jane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-rod/rod"
	"github.com/ysmood/gson"
)

// A screen is a tab of the portal, seen only through selectors of the profile. It reads no text but that of the one
// element asked for.
type screen struct {
	page *rod.Page
	run  *run
}

// The scripts that run in the page. Elements that are not shown do not count: portals keep spare ones.
const (
	shownScript = `selector => {
		const shown = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length > 0);
		return {shown: shown.length, text: shown.length === 1 ? shown[0].textContent.trim().slice(0, 200) : ''};
	}`
	// sightsScript is shownScript for several elements at once, and counts others of which no text is wanted.
	sightsScript = `(texts, others) => {
		const shown = selector => selector ? [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length > 0) : [];
		return {
			texts: texts.map(shown).map(found => ({shown: found.length, text: found.length === 1 ? found[0].textContent.trim().slice(0, 200) : ''})),
			others: others.map(shown).map(found => found.length),
		};
	}`
	clickScript = `selector => {
		const shown = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length > 0);
		if (shown.length !== 1) return 'shown ' + shown.length + ' times';
		if (shown[0].disabled || shown[0].getAttribute('aria-disabled') === 'true') return 'disabled';
		shown[0].scrollIntoView({block: 'center'});
		shown[0].click();
		return '';
	}`
	focusScript = `selector => {
		const shown = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length > 0);
		if (shown.length !== 1) return 'shown ' + shown.length + ' times';
		if (shown[0].disabled || shown[0].readOnly) return 'disabled';
		shown[0].focus();
		shown[0].select();
		return document.activeElement === shown[0] ? '' : 'not to be focused';
	}`
	tickScript = `selector => {
		const shown = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length > 0);
		if (shown.length !== 1) return 'shown ' + shown.length + ' times';
		if (shown[0].disabled) return 'disabled';
		if (!shown[0].checked) shown[0].click();
		return shown[0].checked ? '' : 'not to be ticked';
	}`
	lengthScript = `selector => document.querySelector(selector)?.value?.length ?? -1`
	valueScript  = `selector => [...document.querySelectorAll(selector)].map(e => e.value).join('')`
	blankScript  = `selectors => selectors.filter(s => [...document.querySelectorAll(s)].some(e => e.value !== '')).join(', ')`
	routeScript  = `route => { location.hash = route; }`
	aliveScript  = `() => true`
	placeScript  = `() => location.pathname + location.hash`
)

// errMoved says that a script's answer was lost to a navigation; the page must be asked again.
var errMoved = errors.New("the page changed while it was asked")

// ask runs a script in the page, with a person's rights (a click may open a tab). Each asking is bounded by itself, so
// that a page which hangs is told from one that lacks something.
func (s *screen) ask(ctx context.Context, script string, args ...any) (answer gson.JSON, err error) {
	err = s.run.atOnce(ctx, func(ctx context.Context) error {
		result, err := s.page.Context(ctx).Evaluate(rod.Eval(script, args...).ByUser())
		if err != nil {
			if ctx.Err() == nil {
				err = errMoved
			}
			return err
		}
		answer = result.Value
		return nil
	})
	return answer, err
}

// sight is what a look at an element gives.
type sight struct {
	shown int
	text  string
}

func (s *screen) look(ctx context.Context, selector string) (sight, error) {
	answer, err := s.ask(ctx, shownScript, selector)
	if err != nil {
		return sight{}, err
	}
	return sight{shown: answer.Get("shown").Int(), text: answer.Get("text").Str()}, nil
}

// lookAt looks at several elements at once: at texts, and at others of which only how often they are shown is wanted. An empty
// selector is shown by nothing.
func (s *screen) lookAt(ctx context.Context, texts, others []string) (seen []sight, shown []int, err error) {
	answer, err := s.ask(ctx, sightsScript, texts, others)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range answer.Get("texts").Arr() {
		seen = append(seen, sight{shown: one.Get("shown").Int(), text: one.Get("text").Str()})
	}
	for _, count := range answer.Get("others").Arr() {
		shown = append(shown, count.Int())
	}
	if len(seen) != len(texts) || len(shown) != len(others) {
		return nil, nil, errMoved
	}
	return seen, shown, nil
}

// until asks again and again whether something holds. It ends when it does, when the portal has refused something, when
// the time is over, or with the context. `expected` says what was waited for, in words of the profile.
func (s *screen) until(ctx context.Context, limit time.Duration, expected func() string, holds func(context.Context) (bool, error)) error {
	err := s.await(ctx, limit, expected, holds)
	if err != nil {
		s.run.picture(ctx, s, err)
	}
	return err
}

func (s *screen) await(ctx context.Context, limit time.Duration, expected func() string, holds func(context.Context) (bool, error)) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	wait := time.NewTimer(0)
	defer wait.Stop()
	var suspected time.Time
	for pause := firstLook; ; pause = min(2*pause, slowestLook) {
		ok, err := holds(bounded)
		if ok {
			return nil
		}
		if err != nil && bounded.Err() == nil && !errors.Is(err, errMoved) {
			return err
		}
		if refusal, certain := s.run.refused(bounded, s); refusal != nil && bounded.Err() == nil {
			if suspected.IsZero() {
				suspected = time.Now()
			}
			if certain || time.Since(suspected) > patience {
				return refusal
			}
		}
		wait.Reset(pause)
		select {
		case <-wait.C:
		case <-bounded.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			// A page that hangs shows nothing new either.
			if _, err := s.ask(ctx, aliveScript); errors.Is(err, errHangs) {
				return err
			}
			return &unmet{expected: expected()}
		}
	}
}

// firstLook and slowestLook are the pauses between two looks at a page. A look costs the page a few milliseconds, and what is waited
// for is found half a pause late: with some eight waits for each report, a long pause is most of what reading costs.
const (
	firstLook   = 10 * time.Millisecond
	slowestLook = 50 * time.Millisecond
)

// patience is how long a page has to explain an answer that looks like a refusal.
const patience = time.Second

// unmet says that something the profile names did not appear.
type unmet struct{ expected string }

func (u *unmet) Error() string { return "expected " + u.expected }

// find waits for exactly one shown element and returns its text.
func (s *screen) find(ctx context.Context, selector string) (text string, err error) {
	var last sight
	err = s.until(ctx, s.run.timeouts.Element,
		func() string { return fmt.Sprintf("one element %s, found %d", selector, last.shown) },
		func(ctx context.Context) (ok bool, err error) {
			last, err = s.look(ctx, selector)
			return err == nil && last.shown == 1, err
		})
	return last.text, err
}

// has reports whether an element is shown now.
func (s *screen) has(ctx context.Context, selector string) (bool, error) {
	seen, err := s.look(ctx, selector)
	return seen.shown > 0, err
}

// click waits for an element and clicks it by script: a click by mouse waits for an animation frame, which a tab in the
// background never gets.
func (s *screen) click(ctx context.Context, selector string) error {
	return s.act(ctx, clickScript, selector)
}

func (s *screen) act(ctx context.Context, script, selector string) error {
	state := "not there"
	return s.until(ctx, s.run.timeouts.Element,
		func() string { return fmt.Sprintf("one element %s, ready; it is %s", selector, state) },
		func(ctx context.Context) (bool, error) {
			answer, err := s.ask(ctx, script, selector)
			if err != nil {
				return false, err
			}
			state = answer.Str()
			return state == "", nil
		})
}

// fill types a text into a field in place of what is there. What is in the field afterwards is compared by its length
// alone, so that a password does not come back.
func (s *screen) fill(ctx context.Context, selector, text string) error {
	if err := s.act(ctx, focusScript, selector); err != nil {
		return err
	}
	insert := func(ctx context.Context) error { return s.page.Context(ctx).InsertText(text) }
	if err := s.run.atOnce(ctx, insert); err != nil {
		return err
	}
	// JavaScript counts UTF-16 units.
	units := 0
	for _, r := range text {
		units++
		if r > 0xffff {
			units++
		}
	}
	return s.until(ctx, s.run.timeouts.Element,
		func() string { return fmt.Sprintf("a field %s that takes what is typed", selector) },
		func(ctx context.Context) (bool, error) {
			answer, err := s.ask(ctx, lengthScript, selector)
			return err == nil && answer.Int() == units, err
		})
}

// follow opens a route of the application.
func (s *screen) follow(ctx context.Context, route string) error {
	_, err := s.ask(ctx, routeScript, route)
	if errors.Is(err, errMoved) {
		err = nil
	}
	return err
}

// place is the path and route that the tab shows.
func (s *screen) place(ctx context.Context) (string, error) {
	answer, err := s.ask(ctx, placeScript)
	return answer.Str(), err
}
