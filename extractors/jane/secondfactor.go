package jane

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
)

// blockedFor is how long no code is sent after the portal has blocked them, where it does not say.
const blockedFor = 15 * time.Minute

// secondFactor answers the screen that comes after a right password. It sends two codes at most.
//
// A code is that of this machine's time. If it is refused and the portal's own clock, as its answers tell it, is in another
// time step, the neighbouring step in that direction is tried, once: codes are commonly accepted one step early or late. A
// step whose code was sent once is never used again, by this visit or a later one, whatever became of it: the next one is
// waited for.
func (r *run) secondFactor(ctx context.Context) error {
	r.cfg.Progress(Event{Step: SecondFactor})
	factor := r.profile.SecondFactor
	for _, other := range factor.Others {
		shown, err := r.main.has(ctx, other)
		if err != nil {
			return err
		}
		if shown {
			f := fail(extractors.SecondFactorRequired, "", errors.New("it asks for a code by text message, or for a recovery code"))
			f.Hint = "Set an authenticator app up for the account, in the portal's settings, and give its secret to falloff: " +
				"codes by text message and recovery codes cannot be answered by a program"
			return f
		}
	}
	app := r.cfg.Account.reveal().codes
	if app.secret == "" {
		return fail(extractors.SecondFactorRequired, "", nil)
	}
	if until := r.portal.remembered().CodesAfter; r.cfg.Clock().Before(until) {
		return codesBlocked(until)
	}
	if err := r.checkContract(ctx, r.main, screenCode, ""); err != nil {
		return err
	}
	if err := r.trustThisBrowser(ctx); err != nil {
		return err
	}
	step, err := r.unusedStep(ctx, app)
	if err != nil {
		return err
	}
	verdict, err := r.sendCode(ctx, app, step)
	switch {
	case err != nil:
		return err
	case verdict == codeUsed:
		// Somebody else has used it, or an earlier run that could not note it down.
		if step, err = r.unusedStep(ctx, app); err != nil {
			return err
		}
	case verdict == codeRefused:
		neighbour, why := r.neighbour(app, step)
		if neighbour == step {
			return fail(extractors.SecondFactorRejected, "", why)
		}
		step = neighbour
	default:
		return nil
	}
	verdict, err = r.sendCode(ctx, app, step)
	switch {
	case err != nil:
		return err
	case verdict != codeAccepted:
		f := fail(extractors.SecondFactorRejected, "", errors.New("two codes were refused"))
		f.Attempts = 2
		return f
	}
	return nil
}

// trustThisBrowser ticks what spares the next visits a code, where the clinic allows it.
func (r *run) trustThisBrowser(ctx context.Context) error {
	offered, err := r.main.has(ctx, r.profile.SecondFactor.Trust)
	if err != nil || !offered {
		return err
	}
	return r.main.act(ctx, tickScript, r.profile.SecondFactor.Trust)
}

// unusedStep is the present time step, or, if its code was sent already, the next one, waited for.
func (r *run) unusedStep(ctx context.Context, app authenticator) (int64, error) {
	used := r.portal.remembered().UsedStep
	for step := app.stepAt(r.cfg.Clock()); ; step = app.stepAt(r.cfg.Clock()) {
		if step > used {
			return step, nil
		}
		// A clock that was set back would have us wait for what is to come: that is a person's to put right.
		if step < used-1 {
			return 0, fail(extractors.SecondFactorRejected, "", errors.New("this machine's clock was set back: its code would be an old one"))
		}
		next := app.begins(used + 1)
		if err := r.cfg.Wait(ctx, next.Sub(r.cfg.Clock())); err != nil {
			return 0, err
		}
	}
}

// neighbour is the step beside one that was refused, on the side where the portal's clock is; the same step if the portal's
// clock does not differ, with what a person should know.
func (r *run) neighbour(app authenticator, step int64) (int64, error) {
	ahead, known := r.answers.skew()
	if !known {
		return step, errors.New("the code was refused")
	}
	theirs := app.stepAt(r.cfg.Clock().Add(ahead))
	switch {
	case theirs > step:
		return step + 1, nil
	case theirs < step:
		return step - 1, nil
	default:
		return step, errors.New("the code was refused, and this machine's clock agrees with the portal's: the secret is another account's, or an old one")
	}
}

type codeVerdict int

const (
	codeAccepted codeVerdict = iota
	codeRefused
	codeUsed
)

// sendCode sends the code of a step, and notes beforehand that it was sent.
func (r *run) sendCode(ctx context.Context, app authenticator, step int64) (codeVerdict, error) {
	factor := r.profile.SecondFactor
	code, err := app.code(step)
	if err != nil {
		return codeRefused, fail(extractors.SecondFactorRejected, "", err)
	}
	if err := r.main.fill(ctx, factor.Code, code); err != nil {
		return codeRefused, err
	}
	r.portal.keep(func(k *kept) { k.UsedStep = max(k.UsedStep, step) })
	r.answers.forget()
	before := r.answers.count(factor.Request)
	if err := r.main.click(ctx, factor.Submit); err != nil {
		return codeRefused, err
	}
	verdict := codeAccepted
	err = r.main.until(ctx, r.timeouts.Element,
		func() string { return fmt.Sprintf("one element %s after the code", r.profile.SignIn.SignedIn) },
		func(ctx context.Context) (bool, error) {
			in, err := r.main.has(ctx, r.profile.SignIn.SignedIn)
			if err != nil || in {
				return in, err
			}
			said, err := r.main.look(ctx, r.profile.Alert)
			status := r.answers.latest(factor.Request)
			if err != nil || said.shown != 1 || r.answers.count(factor.Request) == before || status < 400 {
				// What is shown may be what was said of the code before.
				return false, err
			}
			switch text := strings.ToLower(said.text); {
			case status == http.StatusTooManyRequests || strings.Contains(text, strings.ToLower(factor.Blocked)):
				_, _, after := r.answers.troubled()
				if after == 0 {
					after = blockedFor
				}
				until := r.cfg.Clock().Add(after)
				r.portal.keep(func(k *kept) { k.CodesAfter = until })
				return false, codesBlocked(until)
			case strings.Contains(text, strings.ToLower(factor.Used)):
				verdict = codeUsed
				return true, nil
			case strings.Contains(text, strings.ToLower(factor.Rejected)):
				verdict = codeRefused
				return true, nil
			}
			return false, nil
		})
	return verdict, r.unlessLost(factor.Request, err)
}

func codesBlocked(until time.Time) error {
	return fail(extractors.SecondFactorRejected, "", fmt.Errorf("the portal takes no codes until %s, after too many wrong ones", until.UTC().Format("15:04 MST")))
}
