package pipeline

import (
	"context"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// LookOptions say as whom to sign in for a Look, and within what.
type LookOptions struct {
	// Credentials is as in ExtractOptions.
	Credentials string
	// Zone is the clinic's.
	Zone *time.Location
	// Budget is as in ExtractOptions: what a look sends counts as what a run sends.
	Budget int
}

// Look signs in to the portal for something that lands no data, such as a preflight, under the same rules as a run: one at a
// time, not while paused, never again with refused credentials, within the day's budget, and with every line in the access
// ledger.
func (s *Site) Look(ctx context.Context, o LookOptions, do func(ctx context.Context, w Watch) error) error {
	credentials, zone := o.Credentials, o.Zone
	today := civil.DateOf(s.clock().In(zone))
	x := &extraction{
		site: s, progress: Progress(nil).orSilent(), out: &Extracted{Day: today},
		o: ExtractOptions{Credentials: credentials, Plan: PlanOptions{Day: today}},
	}
	var err error
	if x.ledger, err = newAccessLedger(s, zone, today); err != nil {
		return err
	}
	spent := newBudget(s, zone, o.Budget)
	return x.hold(ctx, func(ctx context.Context) error {
		hold, err := s.Hold(ctx)
		if err != nil {
			return err
		}
		if err := hold.refusal(credentials); err != nil {
			return err
		}
		if err := spent.open(ctx); err != nil {
			return err
		}
		if err := s.attempting(ctx, credentials); err != nil {
			return err
		}
		if err := x.intend(ctx, extractors.Order{}); err != nil {
			return err
		}
		x.begun = true
		err = do(ctx, Watch{
			ObservedOn: today, Access: x.ledger.note, Before: context.Cause,
			Budget: func(requests int) error { return spent.spend(ctx, requests) },
		})
		if err == nil || permitted(err) {
			if noting := s.proven(ctx, credentials); noting != nil {
				return joinErrors([]error{err, noting})
			}
		}
		if n, landing := x.ledger.commit(ctx, x.tenure); landing != nil {
			return joinErrors([]error{err, landing})
		} else if n > 0 {
			x.ledger.landed()
		}
		return err
	})
}

// permitted says of a failure that the portal took the credentials.
func permitted(err error) bool {
	cause, _, _ := outcomeOf(err)
	return cause == extractors.PermissionExcessive || cause == extractors.PermissionMissing
}
