package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/tabular"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// bring has the portal's reports read and staged, one after the other.
func (x *extraction) bring(ctx context.Context) (err error) {
	orders := x.run.Plan.orders()[len(x.parts):]
	if len(orders) == 0 {
		return nil
	}
	if err := x.budget.open(ctx); err != nil {
		return err
	}
	m := meter{orders: orders}
	source, err := x.o.Portal.Visit(orders, Watch{
		ObservedOn: x.run.Day, Check: x.check, Access: x.ledger.note,
		Before: func(ctx context.Context) error {
			m.begins()
			return x.before(ctx)
		},
		Budget: func(requests int) error {
			m.told(requests)
			return x.budget.spend(ctx, requests)
		},
	})
	if err != nil {
		return err
	}
	if x.o.SigningIn != nil {
		if err := x.o.SigningIn(ctx); err != nil {
			return err
		}
	}
	if err := x.site.attempting(ctx, x.o.Credentials); err != nil {
		return err
	}
	x.begun = true
	x.progress(Step{Name: "read", Total: int64(len(x.run.Plan.Orders)), Done: int64(len(x.parts))})
	err = source.Reports(ctx, func(report extractors.Report) error {
		if len(orders) == 0 {
			return errors.New("the portal gave a report that nobody ordered")
		}
		order := orders[0]
		if report.Dataset != order.Dataset || report.Range != order.Window {
			return fmt.Errorf("%s was ordered, and the portal gave %s %s", order.ID(), report.Dataset, report.Range)
		}
		if err := x.take(ctx, order, report); err != nil {
			return err
		}
		orders = orders[1:]
		return nil
	})
	if staged := x.staging.wait(); err == nil {
		err = staged
	}
	if err != nil {
		return err
	}
	x.costs = m.costs
	if len(orders) > 0 {
		return fmt.Errorf("the portal gave no %s, which was ordered", orders[0].ID())
	}
	return nil
}

// before lets a report begin when the one before it is kept for good: so no more than one is ever read twice.
func (x *extraction) before(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := x.staging.wait(); err != nil {
		return err
	}
	if err := x.tenure.check(ctx); err != nil {
		return err
	}
	if orders := x.run.Plan.orders(); len(x.parts) < len(orders) {
		return x.intend(ctx, orders[len(x.parts)])
	}
	return nil
}

// A checkedReport is a report that was looked into, and what was read of it.
type checkedReport struct {
	order string
	batch *transforms.Batch
}

// check reads a report that the portal has just given, and says of one that is not whole that it may be exported again.
// What was read is kept: it is what take uses.
func (x *extraction) check(ctx context.Context, report extractors.Report) error {
	x.checked = checkedReport{}
	batch, err := x.transformer.Read(ctx, report)
	var broken *tabular.Error
	var failure *extractors.Failure
	switch {
	case err == nil:
		x.checked = checkedReport{order: report.Order, batch: batch}
		return nil
	case errors.As(err, &failure) && failure.Cause == extractors.ExportIncomplete:
		return incomplete(report, failure.Err)
	case errors.As(err, &broken) && broken.Broken:
		return incomplete(report, broken)
	default:
		return sourceFailed(ctx, err)
	}
}

func incomplete(report extractors.Report, why error) error {
	return &extractors.Failure{
		Cause: extractors.ExportIncomplete, Doing: "reading " + report.Name, Err: why,
		Hint: "Run it again; if it comes back, ask for a shorter range",
	}
}

// read gives what was read of a report when it was checked. A source that checks nothing has it read here.
func (x *extraction) read(ctx context.Context, report extractors.Report) (*transforms.Batch, error) {
	checked := x.checked
	x.checked = checkedReport{}
	if checked.batch != nil && checked.order == report.Order {
		return checked.batch, nil
	}
	return x.transformer.Read(ctx, report)
}

// take reads a report and has it staged while the portal is at rest.
func (x *extraction) take(ctx context.Context, order extractors.Order, report extractors.Report) error {
	if !x.taken {
		// Who got a report was let in.
		if err := x.site.proven(ctx, x.o.Credentials); err != nil {
			return err
		}
		x.taken = true
	}
	batch, err := x.read(ctx, report)
	if err != nil {
		return sourceFailed(ctx, err)
	}
	if err := x.staging.wait(); err != nil {
		return err
	}
	p := part{order: order, batch: batch, lines: x.ledger.toStage()}
	x.parts = append(x.parts, p)
	number := len(x.parts)
	x.progress(Step{Name: "read", Done: int64(number), Total: int64(len(x.run.Plan.Orders)), Note: order.ID()})
	x.staging.begin(func() error { return x.stage(ctx, p, number) })
	return nil
}

// stage keeps a part for good, and then notes it.
func (x *extraction) stage(ctx context.Context, p part, number int) error {
	body, err := p.encode()
	if err != nil {
		return err
	}
	sealed, err := x.o.Seal.Encrypt(body, associated(string(x.site.Clinic.ID()), x.run.Run, number))
	if err != nil {
		return fmt.Errorf("sealing %s: %w", p.order.ID(), err)
	}
	err = x.site.Clinic.Stage(ctx, x.run.Run, number, sealed)
	if errors.Is(err, lake.ErrExists) {
		err = x.adopt(ctx, p, number)
	}
	if err != nil {
		return storage("keeping "+p.order.ID(), err)
	}
	next := x.run
	next.Done = number
	return x.note(ctx, next)
}

// adopt takes over a part that a process staged which had lost the lease and did not know yet. It is as good as ours, and
// whoever resumes this run will find that one.
func (x *extraction) adopt(ctx context.Context, ours part, number int) error {
	if err := x.tenure.check(ctx); err != nil {
		return err
	}
	theirs, why, err := x.readPart(ctx, number)
	if err != nil {
		return err
	}
	if why != "" {
		return errors.New(why)
	}
	x.parts[number-1] = theirs
	x.ledger.restore(theirs.lines)
	x.ledger.giveBack(ours.lines)
	return nil
}

// readPart reads back what is staged of one order, or gives a reason if it cannot be used.
func (x *extraction) readPart(ctx context.Context, number int) (p part, why string, err error) {
	sealed, err := x.site.Clinic.ReadStaged(ctx, x.run.Run, number)
	if err != nil {
		return p, "", storage("resuming", err)
	}
	body, err := x.o.Seal.Decrypt(sealed, associated(string(x.site.Clinic.ID()), x.run.Run, number))
	if err != nil {
		return p, "what it had read was sealed under another key", nil //nolint:nilerr // the reason is the answer
	}
	p, err = decodePart(body)
	if err != nil || p.order.ID() != x.run.Plan.Orders[number-1].Order().ID() {
		return p, "another version of falloff read it", nil //nolint:nilerr // the reason is the answer
	}
	return p, "", nil
}
