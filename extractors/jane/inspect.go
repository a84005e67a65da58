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
func (p *Portal) Inspect(ctx context.Context) (findings []Finding, err error) {
	p.mu.Lock()
	rejected := p.rejected
	p.mu.Unlock()
	if rejected != nil {
		return nil, rejected
	}
	r := &run{cfg: p.cfg, profile: p.profile, origin: p.origin, timeouts: p.cfg.Timeouts}
	r.inspect = func(found []Finding) { findings = append(findings, found...) }
	r.cfg.Progress(Event{Step: StartBrowser})
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.ledger = r.session.Ledger()
	p.mu.Unlock()
	defer func() {
		if closing := r.session.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	working, stop := r.working(ctx)
	defer stop()
	err = r.signInAndCheck(working)
	if err == nil {
		err = r.inspectReports(working, p.exports)
	}
	r.leave(ctx)
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

func (r *run) inspectReports(ctx context.Context, exports []export) error {
	seen := map[string]bool{}
	for _, e := range exports {
		if seen[e.Name] {
			continue
		}
		seen[e.Name] = true
		r.cfg.Progress(Event{Step: OpenReport, Report: e.Name, Range: e.window, Number: len(seen), Total: len(r.profile.Reports)})
		if err := r.inspectReport(ctx, e); err != nil {
			return r.named(ctx, "looking at "+e.Name, err)
		}
	}
	return nil
}

func (r *run) inspectReport(ctx context.Context, e export) error {
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
