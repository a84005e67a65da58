package jane

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-rod/rod/lib/proto"

	"github.com/falloff-analytics/falloff/extractors"
)

// The stages of the work, as the profile's requests name them.
const (
	stageSignIn  = "sign in"
	stageAccount = "account"
	stageFilter  = "filter"
	stageExport  = "export"
	stageSignOut = "sign out"
)

func (r *run) signInAndCheck(ctx context.Context) error {
	r.cfg.Progress(Event{Step: SignIn})
	if err := r.open(ctx); err != nil {
		return r.named(ctx, "opening the portal", err)
	}
	if err := r.signIn(ctx); err != nil {
		return r.named(ctx, "signing in", err)
	}
	r.cfg.Progress(Event{Step: CheckAccess})
	if err := r.checkAccess(ctx); err != nil {
		return r.named(ctx, "checking the account's access", err)
	}
	return nil
}

// open opens the application at its sign-in screen.
func (r *run) open(ctx context.Context) error {
	err := r.atOnce(ctx, func(ctx context.Context) error {
		page, err := r.session.Open(ctx)
		r.main = &screen{page: page, run: r}
		return err
	})
	if err != nil {
		return err
	}
	if err := r.attend(ctx, r.main); err != nil {
		return err
	}
	return r.load(ctx, r.profile.SignIn.Route)
}

// load opens the application anew at a route.
func (r *run) load(ctx context.Context, route string) error {
	bounded, cancel := context.WithTimeout(ctx, r.timeouts.Open)
	defer cancel()
	// From one route to another the application would not be loaded again.
	if _, err := (proto.PageNavigate{URL: "about:blank"}).Call(r.main.page.Context(bounded)); err != nil {
		if ctx.Err() == nil && bounded.Err() != nil {
			return errHangs
		}
		return err
	}
	result, err := proto.PageNavigate{URL: r.origin.String() + r.profile.App + route}.Call(r.main.page.Context(bounded))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case bounded.Err() != nil:
		return fail(extractors.Network, "", errors.New("the portal does not answer"))
	case err != nil:
		return err
	case r.session.Unreachable() != nil:
		return fail(extractors.Network, "", r.session.Unreachable())
	case result.ErrorText != "":
		return fail(extractors.Network, "", fmt.Errorf("the portal's application does not open (%s)", netError(result.ErrorText)))
	}
	return nil
}

// netError keeps the browser's own name for a network error, for example ERR_CERT_DATE_INVALID, and nothing else.
func netError(text string) string {
	name := strings.TrimPrefix(text, "net::")
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return "unknown error"
	}
	return name
}

// attend makes a tab behave as if a person looked at it, also where it is not in front.
func (r *run) attend(ctx context.Context, s *screen) error {
	return r.atOnce(ctx, func(ctx context.Context) error {
		return proto.EmulationSetFocusEmulationEnabled{Enabled: true}.Call(s.page.Context(ctx))
	})
}

// atOnce does what a browser that does not hang does at once.
func (r *run) atOnce(ctx context.Context, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, r.timeouts.Answer)
	defer cancel()
	err := do(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case bounded.Err() != nil:
		return errHangs
	}
	return err
}

func (r *run) signIn(ctx context.Context) error {
	in := r.profile.SignIn
	account := r.cfg.Account.reveal()
	r.answers.forget()
	r.session.Enter(stageSignIn)
	if err := r.checkContract(ctx, r.main, screenSignIn, ""); err != nil {
		return err
	}
	if err := r.main.fill(ctx, in.Account, account.account); err != nil {
		return err
	}
	oneScreen, err := r.main.has(ctx, in.Password)
	if err != nil {
		return err
	}
	if !oneScreen {
		if err := r.main.click(ctx, in.Submit); err != nil {
			return err
		}
	}
	if err := r.checkContract(ctx, r.main, screenPassword, ""); err != nil {
		return err
	}
	if err := r.main.fill(ctx, in.Password, account.password); err != nil {
		return err
	}
	if err := r.main.click(ctx, in.Submit); err != nil {
		return err
	}
	err = r.main.until(ctx, r.timeouts.Element,
		func() string { return fmt.Sprintf("one element %s, or %s", in.SignedIn, r.profile.SecondFactor.Code) },
		func(ctx context.Context) (arrived bool, err error) {
			if arrived, err = r.main.has(ctx, in.SignedIn); err == nil && !arrived {
				arrived, err = r.main.has(ctx, r.profile.SecondFactor.Code)
				r.codeAsked = arrived
			}
			return arrived, err
		})
	if err != nil {
		return r.unlessLost(in.Request, err)
	}
	if r.codeAsked {
		if err := r.secondFactor(ctx); err != nil {
			return err
		}
	}
	r.signedIn = true
	r.keepBrowser(ctx)
	r.session.Enter(stageAccount)
	return nil
}

// signOutIfIn signs out, if we are signed in and the portal lets us. It is done at the end of every run, also when its context
// has ended, and a failure is only remarked on: the session then ends by itself after a while.
func (r *run) signOutIfIn(ctx context.Context) {
	if !r.signedIn || r.session.Context().Err() != nil {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeouts.SignOut)
	defer cancel()
	r.cfg.Progress(Event{Step: SignOut})
	err := r.signOut(bounded)
	// What the portal answered to what was done before can still come in, and then looks like an answer to this.
	for range 2 {
		if err == nil || bounded.Err() != nil {
			break
		}
		err = r.signOut(bounded)
	}
	if err != nil {
		r.cfg.Progress(Event{Step: Remark, Note: "signing out did not succeed; the portal ends the session by itself after a while"})
	}
}

func (r *run) signOut(ctx context.Context) error {
	gone, err := r.main.has(ctx, r.profile.SignIn.Account)
	if err == nil && gone {
		// The portal has put us out already.
		return nil
	}
	r.answers.forget()
	r.session.Enter(stageSignOut)
	if err := r.main.click(ctx, r.profile.SignOut.Menu); err != nil {
		return err
	}
	if err := r.main.click(ctx, r.profile.SignOut.Item); err != nil {
		return err
	}
	_, err = r.main.find(ctx, r.profile.SignIn.Account)
	return err
}

// shapeOf shows what a text looks like without what it says: letters become x, digits 9.
func shapeOf(text string) string {
	shape := strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9':
			return '9'
		case c == ' ' || strings.ContainsRune(".,:;-–/()", c):
			return c
		default:
			return 'x'
		}
	}, text)
	if runes := []rune(shape); len(runes) > 40 {
		shape = string(runes[:40]) + "…"
	}
	return shape
}
