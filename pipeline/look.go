package pipeline

import (
	"context"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// Look signs in to the portal for something that lands no data, such as a preflight, under the same rules as a run: one at a
// time, not while paused, never again with refused credentials, and with every line in the access ledger.
func (s *Site) Look(ctx context.Context, credentials string, zone *time.Location, do func(ctx context.Context, w Watch) error) error {
	today := civil.DateOf(s.clock().In(zone))
	x := &extraction{
		site: s, progress: Progress(nil).orSilent(), out: &Extracted{Day: today},
		o: ExtractOptions{Credentials: credentials, Plan: PlanOptions{Day: today}},
	}
	var err error
	if x.ledger, err = newAccessLedger(s, zone, today); err != nil {
		return err
	}
	spent := newBudget(s, zone, 0)
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
