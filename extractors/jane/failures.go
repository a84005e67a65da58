package jane

import (
	"context"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// errHangs says that a page did not answer at all.
var errHangs = errors.New("the page hangs")

// hints say what a person should do.
var hints = map[extractors.Cause]string{
	extractors.WrongPassword: "Sign in to the portal by hand to find the right password, then give it to falloff. It is not tried " +
		"again until then: several wrong passwords can lock the account",
	extractors.AccountLocked:        "Wait, or have the clinic unlock the account; then sign in by hand once before the next run",
	extractors.AccountDeactivated:   "The clinic has switched the account off. Nothing is read until it is switched on again there",
	extractors.SecondFactorRequired: "The account asks for a second factor, which is not supported yet; use an account without one",
	extractors.PermissionMissing:    "Give the account the level Administrative / All Billing with Access Billing on, in the portal's staff settings",
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
	extractors.BrowserCrashed:   "Run it again; if it happens again, check that the machine has memory to spare and a recent Chromium",
}

// fail makes a Failure.
func fail(cause extractors.Cause, doing string, err error) *extractors.Failure {
	return &extractors.Failure{Cause: cause, Doing: doing, Hint: hints[cause], Err: err}
}

// named gives an error its cause. Errors of the context stay as they are, so that callers see that they themselves, or
// a person, ended the work.
func (r *run) named(ctx context.Context, doing string, err error) error {
	var failure *extractors.Failure
	var unmet *unmet
	switch {
	case err == nil:
		return nil
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
	cause, status := r.answers.troubled()
	if seen, err := s.look(ctx, r.profile.Alert); err == nil && seen.shown == 1 {
		said := r.profile.refusalOf(seen.text)
		// Applications say that the portal can't be reached also where the guard stopped a request of theirs.
		if said != "" && (said != extractors.Network || cause != "") {
			return fail(said, "", nil), true
		}
	}
	switch {
	case cause == "":
		return nil, false
	case status != 0:
		return fail(cause, "", fmt.Errorf("the portal answered %d", status)), false
	case r.session.Unreachable() != nil:
		return fail(cause, "", r.session.Unreachable()), true
	default:
		return fail(cause, "", errors.New("the portal did not answer")), false
	}
}
