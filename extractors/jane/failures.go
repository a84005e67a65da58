package jane

import (
	"context"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// errUnanswered says that a credential was sent and no answer came: whether the portal has refused it is not known.
var errUnanswered = errors.New("a credential was sent and not answered, so it is not sent again")

// errHangs says that a page did not answer at all.
var errHangs = errors.New("the page hangs")

// hints say what a person should do.
var hints = map[extractors.Cause]string{
	extractors.WrongPassword: "Sign in to the portal by hand to find the right password, then give it to falloff. It is not tried " +
		"again until then: several wrong passwords can lock the account",
	extractors.AccountLocked:      "Wait, or have the clinic unlock the account; then sign in by hand once before the next run",
	extractors.AccountDeactivated: "The clinic has switched the account off. Nothing is read until it is switched on again there",
	extractors.SecondFactorRequired: "The account asks for a code after the password. Give falloff the secret of its authenticator app, which the " +
		"portal shows once when the app is set up",
	extractors.SecondFactorRejected: "Check that this machine's clock is right and that the secret is that of this account, by signing in by hand with " +
		"a code of the same app; then give the secret to falloff again. It is not tried again until then: wrong codes get blocked",
	extractors.RefusedWrite: "Something tried to write to the portal as this account. It was stopped before it left, and nothing was changed. Do not run it again " +
		"before you know what it was: see what was refused above, and report it",
	extractors.PermissionMissing: "Give the account the level Administrative / All Billing with Access Billing on, in the portal's staff settings",
	extractors.PermissionExcessive: "falloff refuses accounts that can see or change more than billing needs. Give the account the level " +
		"Administrative / All Billing, and switch Access Charts and Manage Shifts off, in the portal's staff settings",
	extractors.SessionExpired:    "The portal signed us out. Run it again; if it happens again, nobody else may use this account at the same time",
	extractors.RateLimited:       "The portal asks to slow down. Run it again in a few minutes",
	extractors.PortalMaintenance: "The portal is closed for maintenance. Run it again later",
	extractors.PageChanged: "The portal's pages are not as the profile describes them. Nothing of this report was taken. Look for a newer " +
		"version of falloff; falloff profile check shows what differs, and profiles/<clinic>.yaml can say so",
	extractors.ExportIncomplete: "Run it again; if it happens again, ask for a shorter range",
	extractors.ExportStale:      "The portal keeps showing an old result. Run it again later",
	extractors.Network:          "Check the address and the network: can a browser on this machine open the portal? Then run it again",
	extractors.BrowserMissing:   "Install Chromium, or name yours in FALLOFF_CHROMIUM; `make demo` installs one",
	extractors.Paused:           "Run `falloff resume` when the portal may be read again; what came before stays",
	extractors.Deadline:         "The next run goes on where this one stopped; a longer --deadline lets one run do more",
	extractors.AgreementMissing: "Run `falloff connect`: it shows the agreement, and the clinic's owner accepts it, before anybody signs in",
	extractors.BrowserCrashed:   "Run it again; if it happens again, check that the machine has memory to spare and a recent Chromium",
}

// fail makes a Failure.
func fail(cause extractors.Cause, doing string, err error) *extractors.Failure {
	return &extractors.Failure{Cause: cause, Doing: doing, Hint: hints[cause], Err: err}
}

// named gives an error its cause. Errors of the context stay as they are, so that callers see that they themselves, or
// a person, ended the work.
func (r *run) named(ctx context.Context, doing string, err error) error {
	return r.withPicture(r.cause(ctx, doing, err))
}

func (r *run) cause(ctx context.Context, doing string, err error) error {
	var failure *extractors.Failure
	var unmet *unmet
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(r.session.Context()), browser.ErrRefusedWrite):
		return fail(extractors.RefusedWrite, doing, context.Cause(r.session.Context()))
	case errors.Is(err, browser.ErrCrashed) || errors.Is(err, browser.ErrGone) || errors.Is(context.Cause(r.session.Context()), browser.ErrCrashed):
		return fail(extractors.BrowserCrashed, doing, browser.ErrCrashed)
	case errors.As(err, &failure):
		if failure.Doing == "" {
			failure.Doing = doing
		}
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case r.session.Unreachable() != nil:
		return fail(extractors.Network, doing, r.session.Unreachable())
	case errors.Is(err, errHangs):
		return fail(extractors.BrowserCrashed, doing, err)
	case errors.As(err, &unmet):
		return fail(extractors.PageChanged, doing, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// refused looks whether the portal has refused something: by a text it shows, which is compared with those of the
// profile and not passed on, or by an answer's status. A status has more than one meaning, and is known before the page
// shows what it stands for: it is certain only when the page has had time to say more.
func (r *run) refused(ctx context.Context, s *screen) (err error, certain bool) {
	cause, status, after := r.answers.troubled()
	refusal := func(cause extractors.Cause, err error) error {
		f := fail(cause, "", err)
		f.After = after
		return f
	}
	if seen, account, err := s.lookAt(ctx, []string{r.profile.Alert}, []string{r.profile.SignIn.Account}); err == nil {
		said := r.profile.refusalOf(seen[0].text)
		// Applications say that the portal can't be reached also where the guard stopped a request of theirs.
		if said != "" && (said != extractors.Network || cause != "") {
			return refusal(said, nil), true
		}
		// A portal that has ended the session may show the sign-in screen without a word.
		if r.signedIn && s == r.main && account[0] > 0 {
			return refusal(extractors.SessionExpired, nil), false
		}
	}
	switch {
	case cause == "":
		return nil, false
	case status != 0:
		return refusal(cause, fmt.Errorf("the portal answered %d", status)), false
	case r.session.Unreachable() != nil:
		return refusal(cause, r.session.Unreachable()), true
	default:
		return refusal(cause, errors.New("the portal did not answer")), false
	}
}
