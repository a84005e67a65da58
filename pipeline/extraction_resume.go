package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// resumeOrBegin takes up the run in progress, or begins one. landed says that the run in progress has landed, and was cut
// short only in clearing up and saying so: a run that has said so is over, and asking again reads everything again.
func (x *extraction) resumeOrBegin(ctx context.Context, hold Hold) (landed bool, err error) {
	found, version, err := x.record.read(ctx)
	if err != nil {
		return false, err
	}
	x.run, x.version = found, version
	if found.Run != "" {
		if landed, err = x.hasLanded(ctx); err != nil {
			return false, err
		}
		said := hold.Last != nil && hold.Last.Run == found.Run && hold.Last.Cause == ""
		if landed && !said && found.Day == x.o.Plan.Day {
			return true, nil
		}
	}
	if x.o.Once && (found.Run == "" || landed) {
		if done, err := x.planLanded(ctx); done || err != nil {
			return done, err
		}
	}
	// Whoever stood still since it read the record must not change it: others have changed it, or hold the lease by now.
	if err := x.tenure.check(ctx); err != nil {
		return false, err
	}
	if found.Run == "" || landed {
		return false, x.begin(ctx)
	}
	why := x.stale(found)
	if why == "" {
		if why, err = x.load(ctx); err != nil {
			return false, err
		}
	}
	if why == "" {
		x.out.Run, x.out.Orders, x.out.Resumed = found.Run, len(found.Plan.Orders), len(x.parts)
		// A process that has lost the lease and does not know yet must not note anything more.
		next := found
		next.Done, next.Resumed = len(x.parts), found.Resumed+1
		if err := x.note(ctx, next); err != nil {
			return false, err
		}
		// What a run staged that was discarded goes too, where such a process has kept it since.
		return false, storage("clearing up", x.site.Clinic.Unstage(ctx, found.Run))
	}
	// What is missing may have landed in the meantime, by a run that has taken over from this one.
	if err := x.tenure.check(ctx); err != nil {
		return false, err
	}
	if err := x.salvage(ctx); err != nil {
		return false, err
	}
	x.out.Discarded = why
	x.progress(Step{Name: "resume", Ended: true, Note: "an unfinished run was discarded: " + why})
	return false, x.begin(ctx)
}

// stale is why a run in progress cannot be resumed, empty if it can.
func (x *extraction) stale(found extractionRecord) string {
	switch {
	case found.Format != stagedFormat:
		return "another version of falloff began it"
	case found.Day != x.o.Plan.Day:
		return fmt.Sprintf("it was about the days up to %s", found.Day)
	case x.o.Plan.From.IsValid() && found.Plan.From != x.o.Plan.From:
		return "it was to read from another day on"
	case found.Reading != x.reading:
		return "the clinic's keys or settings have changed since"
	default:
		return ""
	}
}

// hasLanded finds the run in progress in the newest commits' checkpoint.
func (x *extraction) hasLanded(ctx context.Context) (bool, error) {
	head, err := x.site.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		return false, nil
	}
	if err != nil {
		return false, storage("looking for what has landed", err)
	}
	if !landedRun(head.Sources[portalSource], x.run.Run) {
		return false, nil
	}
	x.out.Run, x.out.Commit, x.out.AsOf = x.run.Run, head.Number, head.AsOf
	x.out.Orders, x.out.Resumed = len(x.run.Plan.Orders), len(x.run.Plan.Orders)
	return true, nil
}

// planLanded finds that what is asked for has landed: the day or a later one, or the history up to that day at least.
func (x *extraction) planLanded(ctx context.Context) (bool, error) {
	head, err := x.site.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		return false, nil
	}
	if err != nil {
		return false, storage("looking for what has landed", err)
	}
	c := checkpointIn(head.Sources[portalSource])
	if !c.has(x.o.Plan) {
		return false, nil
	}
	x.out.Run, x.out.Commit, x.out.AsOf, x.out.Orders, x.out.Resumed = c.Run, head.Number, head.AsOf, c.Orders, c.Orders
	return true, nil
}

// begin plans a run and notes it.
func (x *extraction) begin(ctx context.Context) error {
	x.parts = nil
	plan, err := x.site.Plan(ctx, x.o.Portal.Kinds(), x.o.Plan)
	if err != nil {
		return err
	}
	if len(plan.Orders) == 0 {
		return refused("", errors.New("the plan holds no report: the portal's profile has none of that name"))
	}
	run, err := randomName(x.site.random)
	if err != nil {
		return err
	}
	next := extractionRecord{
		Run: run, Format: stagedFormat, Day: x.o.Plan.Day, Started: x.site.clock().UTC(), Reading: x.reading, Plan: plan,
	}
	if err := x.note(ctx, next); err != nil {
		return err
	}
	x.out.Run, x.out.Orders, x.out.Resumed = run, len(plan.Orders), 0
	return storage("clearing up", x.site.Clinic.Unstage(ctx, run))
}

// note replaces the record of the run in progress. That somebody else has changed it means that the lease was lost.
func (x *extraction) note(ctx context.Context, next extractionRecord) error {
	version, err := x.record.swap(ctx, x.version, next)
	if errors.Is(err, lake.ErrOvertaken) {
		if err := x.tenure.check(ctx); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	x.run, x.version = next, version
	return nil
}

// salvage lands what was done in the portal out of the parts of a run that is discarded: it was done all the same. It lands at
// once, since the parts go with the run, and this one may not come to its end.
func (x *extraction) salvage(ctx context.Context) error {
	numbers, err := x.site.Clinic.Staged(ctx, x.run.Run)
	if err != nil {
		return storage("looking into an unfinished run", err)
	}
	for _, n := range numbers {
		if n < 1 || n > len(x.run.Plan.Orders) {
			continue
		}
		p, why, err := x.readPart(ctx, n)
		if err != nil {
			return err
		}
		if why == "" {
			x.ledger.restore(p.lines)
		}
	}
	_, err = x.ledger.commit(ctx, x.tenure)
	return err
}

// load reads back what is staged: reports one after the other from the first. It gives a reason if they cannot be used.
func (x *extraction) load(ctx context.Context) (why string, err error) {
	numbers, err := x.site.Clinic.Staged(ctx, x.run.Run)
	if err != nil {
		return "", storage("resuming", err)
	}
	for i, n := range numbers {
		if n != i+1 || n > len(x.run.Plan.Orders) {
			return "what it had read is not whole", nil
		}
		p, why, err := x.readPart(ctx, n)
		if err != nil || why != "" {
			return why, err
		}
		x.parts = append(x.parts, p)
	}
	if len(x.parts) < x.run.Done {
		return "what it had read is not whole", nil
	}
	for _, p := range x.parts {
		x.ledger.restore(p.lines)
	}
	return "", nil
}
