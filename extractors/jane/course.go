package jane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
)

// What is tried again, and how often. Everything that is not here ends the run at once; above all a credential that the
// portal has refused, which is not tried again by anything here.
const (
	// reSignIns is how often a run signs in again after the portal has ended the session.
	reSignIns = 1
	// newBrowsers is how often a run starts another browser in place of one that crashed.
	newBrowsers = 1
	// networkRetries is how often one report, or one sign-in, is tried again after the network failed.
	networkRetries = 1
	// exportRetries is how often a report is exported again whose file was not whole.
	exportRetries = 1
	// rateWaits is how often the portal's wish to slow down is waited out, for one report or sign-in.
	rateWaits = 3

	networkPause = 10 * time.Second
	// ratePause is waited where the portal does not say how long, longestRatePause at most where it does: a report is not
	// worth keeping a browser open for longer.
	ratePause        = time.Minute
	longestRatePause = 15 * time.Minute
)

// A course is one run through the orders of a Portal, over one or more visits.
type course struct {
	portal *Portal
	cfg    *Config
	visit  Visit
	// told is how many of the visit's requests the budget was told of.
	told int

	reSignIns, newBrowsers int
}

func (c *course) run(ctx context.Context, each func(extractors.Report) error) error {
	defer func() {
		c.leave(ctx)
	}()
	for i, order := range c.cfg.Orders {
		c.portal.now = i + 1
		if err := c.mayBegin(ctx, order, i > 0); err != nil {
			return err
		}
		report, err := c.export(ctx, order)
		if err != nil {
			return err
		}
		if err := each(report); err != nil {
			return err
		}
	}
	return nil
}

// mayBegin waits until the next order may begin.
func (c *course) mayBegin(ctx context.Context, order extractors.Order, pause bool) error {
	if d := c.cfg.Politeness.pause(c.cfg.Random); pause && d > 0 {
		if err := c.cfg.Wait(ctx, d); err != nil {
			return fmt.Errorf("pausing before %s: %w", order.ID(), err)
		}
	}
	if err := c.cfg.Pause(ctx); err != nil {
		return named("pausing before "+order.ID(), err)
	}
	if err := c.cfg.Politeness.Quiet(c.cfg.Clock()); err != nil {
		return err
	}
	return named("counting requests before "+order.ID(), c.cfg.Budget(c.sent()))
}

// named adds what was being done, except to a failure, which says so itself.
func named(doing string, err error) error {
	if _, ok := errors.AsType[*extractors.Failure](err); err == nil || ok {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// export brings one order home, trying again what may be.
func (c *course) export(ctx context.Context, order extractors.Order) (extractors.Report, error) {
	var t tries
	for {
		if err := c.begin(ctx); err != nil {
			return extractors.Report{}, err
		}
		report, err := c.visit.Export(ctx, order)
		if err == nil {
			if err = c.cfg.Check(ctx, report); err == nil {
				return report, nil
			}
		}
		failure, ok := errors.AsType[*extractors.Failure](err)
		if !ok {
			return extractors.Report{}, err
		}
		if err := c.again(ctx, failure, &t); err != nil {
			return extractors.Report{}, err
		}
	}
}

// begin begins a visit if there is none.
func (c *course) begin(ctx context.Context) error {
	var t tries
	for c.visit == nil {
		visit, err := c.cfg.Visit(ctx)
		if err == nil {
			c.visit, c.told = visit, 0
			return nil
		}
		failure, ok := errors.AsType[*extractors.Failure](err)
		if !ok {
			return err
		}
		if err := c.again(ctx, failure, &t); err != nil {
			return err
		}
	}
	return nil
}

// tries counts how often something was tried, and tried again for which reason.
type tries struct {
	attempts, network, rate, incomplete int
}

// again returns nil when what failed is to be tried again, after the wait that is due, and otherwise the failure.
func (c *course) again(ctx context.Context, f *extractors.Failure, t *tries) error {
	t.attempts += max(1, f.Attempts)
	f.Attempts = t.attempts
	pause, newVisit := time.Duration(0), false
	switch {
	case ctx.Err() != nil:
		return f
	case errors.Is(f, errUnanswered):
		// The portal may have refused the credential, and the answer be lost.
		return f
	case f.Cause == extractors.SessionExpired && c.reSignIns < reSignIns:
		c.reSignIns++
		newVisit = true
	case f.Cause == extractors.BrowserCrashed && c.newBrowsers < newBrowsers:
		c.newBrowsers++
		newVisit = true
	case f.Cause == extractors.Network && t.network < networkRetries:
		t.network++
		pause = networkPause
	case f.Cause == extractors.RateLimited && t.rate < rateWaits:
		t.rate++
		pause = ratePause
		if f.After > 0 {
			pause = f.After
		}
		if pause > longestRatePause {
			return f
		}
	case f.Cause == extractors.ExportIncomplete && t.incomplete < exportRetries:
		t.incomplete++
		pause = c.cfg.Politeness.pause(c.cfg.Random)
	default:
		return f
	}
	c.cfg.Progress(Event{Step: Remark, Again: f.Cause, Note: fmt.Sprintf("%s: %s; trying again%s", f.Doing, f.Cause, inAWhile(pause))})
	if newVisit {
		c.leave(ctx)
	}
	if pause > 0 {
		if err := c.cfg.Wait(ctx, pause); err != nil {
			return fmt.Errorf("%s: waiting to try again: %w", f.Doing, err)
		}
	}
	// A long wait is a good moment to be told to stop.
	return named("pausing", c.cfg.Pause(ctx))
}

func inAWhile(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return " in " + d.Round(time.Second).String()
}

// leave ends the visit, if there is one.
func (c *course) leave(ctx context.Context) {
	if c.visit == nil {
		return
	}
	visit := c.visit
	c.visit.Leave(ctx)
	// What was spent is counted also where nothing follows that could be forbidden.
	_ = c.cfg.Budget(c.since(visit))
	c.visit = nil
}

// sent is how many requests were sent since the budget was told last.
func (c *course) sent() int {
	if c.visit == nil {
		return 0
	}
	return c.since(c.visit)
}

func (c *course) since(visit Visit) int {
	counts, ok := visit.(interface{ Sent() int })
	if !ok {
		return 0
	}
	all := counts.Sent()
	n := all - c.told
	c.told = all
	return n
}
