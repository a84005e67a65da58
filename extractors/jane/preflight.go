package jane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/falloff-analytics/falloff/extractors"
)

// CheckVerdict is how a check ended.
type CheckVerdict string

// The verdicts of a check.
const (
	// Fits is as it must be.
	Fits CheckVerdict = "ok"
	// Lacks is something missing, Exceeds something too much: both are for a person to change in the portal.
	Lacks   CheckVerdict = "missing"
	Exceeds CheckVerdict = "excess"
	// Fails is what did not work.
	Fails CheckVerdict = "failed"
	// Unseen was not reached, because something before it failed.
	Unseen CheckVerdict = "not reached"
)

// A Check is one thing that was looked at before anything is read.
type Check struct {
	// Name says what was looked at, for example `Access Charts` or `report sales`.
	Name    string       `json:"name"`
	Verdict CheckVerdict `json:"verdict"`
	// Found is what there was; it holds nothing of anybody.
	Found string `json:"found,omitempty"`
	// Do is what a person should do, empty if nothing.
	Do string `json:"do,omitempty"`
}

// Checks are the checks of a preflight, in their order.
type Checks []Check

// OK reports whether every check is as it must be.
func (c Checks) OK() bool {
	for _, check := range c {
		if check.Verdict != Fits {
			return false
		}
	}
	return true
}

// MarshalJSON gives `{"ok": …, "checks": […]}`.
func (c Checks) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		OK     bool    `json:"ok"`
		Checks []Check `json:"checks"`
	}{c.OK(), append([]Check{}, c...)})
}

// The names of the checks that are no toggle, no entry of the navigation and no report.
const (
	checkAddress     = "address"
	checkCertificate = "certificate"
	checkSignIn      = "sign-in"
	checkCode        = "second factor"
)

// Preflight signs in once and looks, check by check, whether the account works, sees what is needed, and no more. It
// exports nothing, changes no filter, and opens no screen but the account's and those of the reports, of which it reads
// heading and count. The configuration's Orders are not used.
//
// The checks are whole in any case; those that were not reached say so. The error is nil if all is well, and otherwise the
// failure that a run would end with.
func Preflight(ctx context.Context, cfg Config) (Checks, error) {
	p, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	f := &preflight{run: p.newRun()}
	err = f.all(ctx)
	return f.whole(), err
}

type preflight struct {
	run    *run
	checks Checks
}

func (f *preflight) note(name string, verdict CheckVerdict, found, do string) {
	f.checks = append(f.checks, Check{Name: name, Verdict: verdict, Found: found, Do: do})
}

// failed notes a check that did not work, and returns the error by its name.
func (f *preflight) failed(ctx context.Context, name, doing string, err error) error {
	err = f.run.named(ctx, doing, err)
	found, do := "did not work", ""
	if failure, ok := errors.AsType[*extractors.Failure](err); ok {
		failure.Attempts = max(1, failure.Attempts)
		found, do = string(failure.Cause), failure.Hint
		if failure.Err != nil {
			found += ": " + failure.Err.Error()
		}
	}
	f.note(name, Fails, found, do)
	return err
}

func (f *preflight) all(ctx context.Context) error {
	r := f.run
	if err := r.start(ctx); err != nil {
		return err
	}
	defer r.leaveLook(ctx)
	working, stop := r.working(ctx)
	defer stop()
	if err := r.mayLook(working, "signing in"); err != nil {
		return err
	}
	if err := f.connect(working); err != nil {
		return err
	}
	if err := f.signIn(working); err != nil {
		return err
	}
	findings, err := r.readAccess(working)
	if err != nil {
		return f.failed(working, "Access level", "checking the account's access", err)
	}
	for _, found := range findings {
		verdict, do := Fits, ""
		switch found.cause {
		case "":
		case extractors.PermissionExcessive:
			verdict, do = Exceeds, found.do
		default:
			verdict, do = Lacks, found.do
		}
		f.note(found.name, verdict, found.found, do)
	}
	refused := verdict(findings)
	unseen, err := f.reports(working)
	switch {
	case refused != nil:
		refused.Doing, refused.Attempts = "checking the account's access", 1
		return refused
	case err != nil:
		return err
	case len(unseen) > 0:
		failure := fail(extractors.PermissionMissing, "looking at the reports", errors.New("not to be seen: "+strings.Join(unseen, ", ")))
		failure.Attempts = 1
		return failure
	}
	return nil
}

func (f *preflight) connect(ctx context.Context) error {
	r := f.run
	r.cfg.Progress(Event{Step: SignIn})
	if err := r.open(ctx); err != nil {
		name := checkAddress
		if strings.Contains(err.Error(), "certificate") {
			f.note(checkAddress, Fits, r.origin.String(), "")
			name = checkCertificate
		}
		return f.failed(ctx, name, "opening the portal", err)
	}
	f.note(checkAddress, Fits, r.origin.String(), "")
	if r.origin.Scheme == "https" {
		f.note(checkCertificate, Fits, "verified", "")
	} else {
		f.note(checkCertificate, Fits, "none: an address of this machine", "")
	}
	return nil
}

func (f *preflight) signIn(ctx context.Context) error {
	r := f.run
	if err := r.signIn(ctx); err != nil {
		name := checkSignIn
		if r.codeAsked {
			f.note(checkSignIn, Fits, "user name and password are right", "")
			name = checkCode
		}
		return f.failed(ctx, name, "signing in", err)
	}
	f.note(checkSignIn, Fits, "user name and password are right", "")
	switch {
	case r.codeAsked:
		f.note(checkCode, Fits, "answered", "")
	case r.cfg.Account.reveal().codes.secret != "":
		f.note(checkCode, Fits, "not asked for: the portal knows this browser, or asks this account for none", "")
	default:
		f.note(checkCode, Fits, "the account has none", "")
	}
	return nil
}

// reports opens each report of the profile. It goes on after one that is not to be seen, or is changed.
func (f *preflight) reports(ctx context.Context) (unseen []string, err error) {
	r := f.run
	r.session.Enter(stageAccount)
	var first error
	for _, kind := range r.profile.Reports {
		r.cfg.Progress(Event{Step: OpenReport, Report: kind.Name})
		name := "report " + kind.Name
		if err := r.mayLook(ctx, kind.Name); err != nil {
			return unseen, err
		}
		rows, err := r.glance(ctx, kind)
		failure, _ := errors.AsType[*extractors.Failure](r.named(ctx, "looking at the report "+kind.Name, err))
		switch {
		case err == nil:
			f.note(name, Fits, fmt.Sprintf("to be seen; %d rows as it stands", rows), "")
		case failure != nil && failure.Cause == extractors.PermissionMissing:
			f.note(name, Lacks, "not to be seen", failure.Hint)
			unseen = append(unseen, kind.Name)
		case failure != nil && failure.Cause == extractors.PageChanged:
			changed := f.failed(ctx, name, "looking at the report "+kind.Name, err)
			if first == nil {
				first = changed
			}
		default:
			return unseen, f.failed(ctx, name, "looking at the report "+kind.Name, err)
		}
	}
	return unseen, first
}

// glance opens a report as the account left it and reads heading and count.
func (r *run) glance(ctx context.Context, kind report) (rows int, err error) {
	r.answers.forget()
	before := r.answers.count(r.profile.Screen.Rows)
	if r.unsettled {
		// What the report before has said is not taken for what this one says.
		err = r.load(ctx, kind.Route)
	} else {
		err = r.main.follow(ctx, kind.Route)
	}
	r.unsettled = true
	if err != nil {
		return 0, err
	}
	if err := r.settle(ctx, before, ""); err != nil {
		return 0, err
	}
	if _, err := r.main.find(ctx, r.profile.Screen.Heading); err != nil {
		return 0, err
	}
	if rows, err = r.rows(ctx); err == nil {
		r.unsettled = false
	}
	return rows, err
}

// whole adds the checks that were not reached.
func (f *preflight) whole() Checks {
	profile := f.run.profile
	names := []string{checkAddress, checkCertificate, checkSignIn, checkCode, "Access level"}
	for _, t := range profile.Access.Toggles {
		names = append(names, t.Name)
	}
	for _, n := range profile.Access.Navigation {
		names = append(names, n.Name)
	}
	for _, kind := range profile.Reports {
		names = append(names, "report "+kind.Name)
	}
	seen := map[string]bool{}
	for _, check := range f.checks {
		seen[check.Name] = true
	}
	for _, name := range names {
		if !seen[name] {
			f.note(name, Unseen, "", "")
		}
	}
	return f.checks
}
