package jane

import (
	"context"
	"errors"
	"slices"

	"github.com/falloff-analytics/falloff/extractors"
)

// Inspect signs in, goes through the screens of the profile without exporting anything or setting a filter, and tells
// whether each element is as the profile describes it. A screen that cannot be reached because an element on the way
// is missing is a Finding too; everything else that goes wrong is an error, beside what was found until then.
//
// The configuration's Orders are not used.
func Inspect(ctx context.Context, cfg Config) (findings []Finding, err error) {
	p, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	r := p.newRun()
	r.inspect = func(found []Finding) { findings = append(findings, found...) }
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	defer r.leaveLook(ctx)
	working, stop := r.working(ctx)
	defer stop()
	if err = r.mayLook(working, "signing in"); err != nil {
		return nil, err
	}
	err = r.signInAndCheck(working)
	if err == nil {
		err = r.inspectReports(working)
	}
	if failure, ok := errors.AsType[*extractors.Failure](err); ok && failure.Cause == extractors.PageChanged {
		if !slices.ContainsFunc(findings, Finding.drifted) {
			findings = append(findings, Finding{Screen: failure.Doing, Element: "the way to it", Verdict: Missing, Expected: expectedOf(failure), Found: "none"})
		}
		err = nil
	}
	for _, e := range p.profile.Contract.Screens[screenExport] {
		findings = append(findings, Finding{Screen: screenExport, Element: e.title(), Verdict: NotSeen})
	}
	return findings, err
}

// expectedOf is what was waited for in vain.
func expectedOf(err error) string {
	if drift, ok := errors.AsType[*unmet](err); ok {
		return drift.expected
	}
	return "another page"
}

func (r *run) inspectReports(ctx context.Context) error {
	for i, kind := range r.profile.Reports {
		r.cfg.Progress(Event{Step: OpenReport, Report: kind.Name, Number: i + 1, Total: len(r.profile.Reports)})
		if err := r.mayLook(ctx, kind.Name); err != nil {
			return err
		}
		if err := r.inspectReport(ctx, kind); err != nil {
			return r.named(ctx, "looking at "+kind.Name, err)
		}
	}
	return nil
}

func (r *run) inspectReport(ctx context.Context, e report) error {
	r.answers.forget()
	before := r.answers.count(r.profile.Screen.Rows)
	if err := r.main.follow(ctx, e.Route); err != nil {
		return err
	}
	settling := r.settle(ctx, before, "")
	drift, drifted := errors.AsType[*unmet](settling)
	if settling != nil && !drifted {
		return settling
	}
	now, asking := r.state(ctx)
	if asking != nil && !errors.Is(asking, errMoved) {
		return asking
	}
	which := screenReport
	if now.tooLong { // the remembered range is longer than the report takes: there is no result to look at
		which = screenFilters
	}
	if err := r.checkContract(ctx, r.main, which, e.Name); err != nil {
		return err
	}
	if drifted { // it is told as a finding
		r.inspect([]Finding{{Screen: screenName(screenReport, e.Name), Element: "its result", Verdict: Missing, Expected: drift.expected, Found: "none"}})
		return nil
	}
	err := r.main.click(ctx, r.profile.Screen.Menu)
	if err == nil {
		return r.checkContract(ctx, r.main, screenMenu, e.Name)
	}
	if _, told := errors.AsType[*unmet](err); told { // the menu's own finding says so
		err = nil
	}
	return err
}
