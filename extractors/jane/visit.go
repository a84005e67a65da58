package jane

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// A run is one visit to the portal through a real browser.
type run struct {
	portal   *Portal
	cfg      Config
	profile  *Profile
	origin   browser.Origin
	timeouts Timeouts
	session  *browser.Session
	answers  answers
	main     *screen
	signedIn bool
	// codeAsked says that the portal asked for a second factor.
	codeAsked bool
	// unsettled says that an export failed: the application shows something else than it would to who comes anew.
	unsettled bool
	// inspect, if set, is told what the contract of each screen finds; a difference then ends nothing.
	inspect func([]Finding)
	// replaces counts the tabs that were replaced because they hung.
	replaces int
	// pictured is where the last picture of a page is kept that no failure names yet.
	pictured string
	accesses accesses
	// downloads counts the files that were asked for.
	downloads int
	// told is how many requests of a visit that exports nothing the budget was told of.
	told int
}

var _ Visit = (*run)(nil)

// visit starts a browser, signs in and checks the account. After an error nothing is left of it.
func (p *Portal) visit(ctx context.Context) (*run, error) {
	r := p.newRun()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	working, stop := r.working(ctx)
	err := r.signInAndCheck(working)
	stop()
	if err != nil {
		r.Leave(ctx)
		return nil, err
	}
	return r, nil
}

func (p *Portal) newRun() *run {
	r := &run{portal: p, cfg: p.cfg, profile: p.profile, origin: p.origin, timeouts: p.cfg.Timeouts}
	r.answers.clock = p.cfg.Clock
	r.accesses.tell = p.cfg.Access
	return r
}

// start starts the browser. It must outlive ctx, so that there is time to sign out; only its start ends with ctx.
func (r *run) start(ctx context.Context) error {
	r.cfg.Progress(Event{Step: StartBrowser})
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	cfg := r.cfg.Browser
	cfg.Origin, cfg.Rules, cfg.OnAnswer = r.origin, r.profile.Requests, r.answers.note
	cfg.Tolerated, cfg.Words = r.profile.Tolerated, slices.Concat(r.profile.Forbidden, r.profile.Words)
	cfg.Selectors = r.profile.selectors()
	cfg.State, cfg.OnAccess = r.portal.remembered().Browser, r.accesses.note
	session, err := browser.Start(life, cfg)
	if errors.Is(err, browser.ErrState) {
		r.cfg.Progress(Event{Step: Remark, Note: "what was kept of the last browser can't be used; the portal will see a new device"})
		cfg.State = nil
		session, err = browser.Start(life, cfg)
	}
	if err == nil && !stop() {
		err = errors.Join(context.Cause(ctx), session.Close())
	}
	if err != nil {
		cancel(err)
		if ctx.Err() != nil {
			return fmt.Errorf("starting the browser: %w", context.Cause(ctx))
		}
		if errors.Is(err, browser.ErrNoBrowser) {
			return fail(extractors.BrowserMissing, "starting the browser", err)
		}
		return fail(extractors.BrowserCrashed, "starting the browser", err)
	}
	context.AfterFunc(session.Context(), func() { cancel(nil) })
	r.session = session
	r.portal.mu.Lock()
	r.portal.ledgers = append(r.portal.ledgers, session.Ledger())
	r.portal.mu.Unlock()
	for _, note := range session.Notes() {
		r.cfg.Progress(Event{Step: Remark, Note: note})
	}
	return nil
}

// working is a context that ends with ctx and with the browser.
func (r *run) working(ctx context.Context) (context.Context, func()) {
	working, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.session.Context(), func() { cancel(context.Cause(r.session.Context())) })
	return working, func() { stop(); cancel(nil) }
}

// Export takes one report out of the portal.
func (r *run) Export(ctx context.Context, order extractors.Order) (extractors.Report, error) {
	working, stop := r.working(ctx)
	defer stop()
	kind, _ := r.profile.report(order.Report)
	event := Event{Report: order.Report, Range: order.Window, Number: r.portal.now, Total: len(r.cfg.Orders)}
	r.accesses.begin(order)
	r.pictured = ""
	report, err := r.export(working, export{kind, order}, event)
	attempts := 1
	if errors.Is(err, errHangs) && r.replaces == 0 {
		r.replaces++
		if r.replace(working) {
			attempts++
			report, err = r.export(working, export{kind, order}, event)
		}
	}
	if err != nil {
		r.unsettled = true
	}
	err = r.named(working, "exporting "+order.ID(), err)
	if failure, ok := errors.AsType[*extractors.Failure](err); ok {
		failure.Attempts = attempts
	}
	r.accesses.flush()
	return report, err
}

// replace puts a new tab in the place of one that hangs, and reports whether it could. The session goes on in it.
func (r *run) replace(ctx context.Context) bool {
	r.cfg.Progress(Event{Step: Remark, Again: extractors.BrowserCrashed, Note: "the page hangs: it is replaced by another"})
	bounded, cancel := context.WithTimeout(ctx, r.timeouts.Open)
	defer cancel()
	page, err := r.session.Replace(bounded, r.main.page)
	if err != nil {
		return false
	}
	r.main, r.unsettled = &screen{page: page, run: r}, true
	return r.attend(ctx, r.main) == nil
}

// Leave signs out, if we are signed in and the portal lets us, and ends the browser.
func (r *run) Leave(ctx context.Context) {
	r.signOutIfIn(ctx)
	if r.session.Context().Err() == nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeouts.SignOut)
		r.keepBrowser(bounded)
		cancel()
	}
	if err := r.session.Close(); err != nil {
		r.cfg.Progress(Event{Step: Remark, Note: err.Error()})
	}
	r.accesses.end()
}

// keepBrowser keeps what the portal needs to know this browser again.
func (r *run) keepBrowser(ctx context.Context) {
	state, err := r.session.State(ctx)
	if err != nil {
		r.cfg.Progress(Event{Step: Remark, Note: "the browser's state could not be kept; the portal will see a new device the next time"})
		return
	}
	r.portal.keep(func(k *kept) { k.Browser = state })
}

// mayLook waits until a visit that exports nothing may go on, under the rules of one that does.
func (r *run) mayLook(ctx context.Context, before string) error {
	if err := r.cfg.Pause(ctx); err != nil {
		return named("pausing before "+before, err)
	}
	if err := r.cfg.Politeness.Quiet(r.cfg.Clock()); err != nil {
		return err
	}
	return named("counting requests before "+before, r.count())
}

// count tells the budget what was sent since it was told last.
func (r *run) count() error {
	sent := r.Sent()
	spent := sent - r.told
	r.told = sent
	return r.cfg.Budget(spent)
}

// leaveLook is Leave for a visit that exports nothing. What it sent is counted also where nothing follows.
func (r *run) leaveLook(ctx context.Context) {
	r.Leave(ctx)
	_ = r.count()
}

// Sent is how many requests have left the browser.
func (r *run) Sent() int { return r.session.Ledger().Allowed() }

// An export is an order and how the portal's page of it is found.
type export struct {
	report
	order extractors.Order
}
