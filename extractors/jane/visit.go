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
	return r
}

// start starts the browser. It must outlive ctx, so that there is time to sign out; only its start ends with ctx.
func (r *run) start(ctx context.Context) error {
	r.cfg.Progress(Event{Step: StartBrowser})
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	cfg := r.cfg.Browser
	cfg.Origin, cfg.Rules, cfg.OnAnswer = r.origin, r.profile.Requests, r.answers.note
	cfg.Words = slices.Concat(r.profile.Forbidden, r.profile.Words)
	session, err := browser.Start(life, cfg)
	if err == nil && !stop() {
		err = errors.Join(context.Cause(ctx), session.Close())
	}
	if err != nil {
		cancel(err)
		if ctx.Err() != nil {
			return fmt.Errorf("starting the browser: %w", context.Cause(ctx))
		}
		failure := fail(extractors.BrowserCrashed, "starting the browser", err)
		if errors.Is(err, browser.ErrNoBrowser) {
			// The error says itself what to do.
			failure.Cause, failure.Hint = extractors.BrowserMissing, ""
		}
		return failure
	}
	context.AfterFunc(session.Context(), func() { cancel(nil) })
	r.session = session
	r.portal.mu.Lock()
	r.portal.ledger = session.Ledger()
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
	report, err := r.export(working, export{kind, order}, event)
	if err != nil {
		r.unsettled = true
	}
	return report, r.named(working, "exporting "+order.ID(), err)
}

// Leave signs out, if we are signed in and the portal lets us, and ends the browser.
func (r *run) Leave(ctx context.Context) {
	r.signOutIfIn(ctx)
	if err := r.session.Close(); err != nil {
		r.cfg.Progress(Event{Step: Remark, Note: err.Error()})
	}
}

// Sent is how many requests have left the browser.
func (r *run) Sent() int { return r.session.Ledger().Allowed() }

// An export is an order and how the portal's page of it is found.
type export struct {
	report
	order extractors.Order
}
