package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// land lands every part, the access ledger and the checkpoint in one commit.
func (x *extraction) land(ctx context.Context) error {
	rows := 0
	for _, p := range x.parts {
		rows += p.batch.Rows
	}
	x.progress(Step{Name: "read", Ended: true, Note: counted(rows, "row") + " of " + counted(len(x.parts), "report")})
	x.progress(Step{Name: "land"})
	var in *landing
	commit, err := x.site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		// Whoever lost the lease in the meantime must not land; who has landed must not do so twice.
		if err := x.tenure.check(ctx); err != nil {
			return err
		}
		if landedRun(tx.Source(portalSource), x.run.Run) {
			return lake.ErrUnchanged
		}
		in = &landing{site: x.site, transformer: x.transformer, names: map[string]string{}, report: &x.out.Ingested}
		x.out.Files, x.out.Merged = nil, map[string]lake.Merged{}
		for _, p := range x.parts {
			in.add(p.batch)
		}
		if err := in.land(ctx, tx, IngestOptions{Source: portalSource}, x.settings); err != nil {
			return err
		}
		x.out.Changed = changed(tx)
		if err := x.ledger.land(ctx, tx); err != nil {
			return err
		}
		if taken := x.ledger.logTaken(); !taken.IsZero() {
			if err := tx.SetSource(activitySource, activityCheckpoint{TakenAt: taken}); err != nil {
				return err
			}
		}
		return tx.SetSource(portalSource, checkpointIn(tx.Source(portalSource)).next(x.run, len(x.parts), x.costs))
	})
	if err != nil {
		if _, busy := errors.AsType[*BusyError](err); busy {
			return err
		}
		return storage("landing the reports", err)
	}
	x.out.Commit, x.out.AsOf, x.out.Accesses = commit.Number, commit.AsOf, x.ledger.count()
	x.ledger.landed()
	note := fmt.Sprintf("commit %d, reports show %s", commit.Number, commit.AsOf)
	if !x.out.Changed {
		note = fmt.Sprintf("nothing new, commit %d says so", commit.Number)
	}
	x.progress(Step{Name: "land", Ended: true, Note: note})
	return nil
}

// discard forgets the run in progress and what was kept of it.
func (x *extraction) discard(ctx context.Context) error {
	if err := x.note(ctx, extractionRecord{}); err != nil {
		return err
	}
	return storage("clearing up", x.site.Clinic.Unstage(ctx, ""))
}

// closing bounds what is done after a run was stopped.
const closing = 30 * time.Second

// close notes how the run ended. What was done in the portal is noted in the access ledger, whatever came of it.
func (x *extraction) close(ctx context.Context, ended error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	_ = x.staging.wait()
	if _, lost := errors.AsType[*BusyError](ended); lost {
		// The state is another's now. If that one has finished the run, what we kept of it since is nobody's.
		now, _, err := x.record.read(ctx)
		head, headErr := x.site.Clinic.Head(ctx)
		over := err == nil && now.Run != x.run.Run || headErr == nil && landedRun(head.Sources[portalSource], x.run.Run)
		if x.run.Run != "" && over {
			return joinErrors([]error{ended, x.site.Clinic.UnstageRun(ctx, x.run.Run)})
		}
		return ended
	}
	outcome := Outcome{Run: x.run.Run, Day: x.o.Plan.Day, Began: x.took, At: x.site.clock().UTC(), Orders: len(x.parts), Of: len(x.run.Plan.Orders)}
	outcome.Cause, outcome.Doing, outcome.Hint = outcomeOf(ended)
	errs := []error{ended}
	if refusedAtOnce := !x.begun && (outcome.Cause == extractors.Paused || outcome.Cause.RejectsAccount()); !refusedAtOnce {
		// Being refused for what the state says already is no news. A run that landed has landed, whether that can be noted or not.
		if err := x.site.ended(ctx, outcome, x.o.Credentials, x.begun); ended != nil {
			errs = append(errs, err)
		}
	}
	if ended != nil && x.begun {
		if outcome.Cause == extractors.AccountDeactivated {
			// The access has ended, and so has what was read under it and has not landed.
			errs = append(errs, x.discard(ctx))
		}
		n, err := x.ledger.commit(ctx, x.tenure)
		x.out.Accesses = n
		if errs = append(errs, err); err != nil {
			return joinErrors(errs)
		}
	}
	if err := x.done(ctx); ended != nil {
		errs = append(errs, err) // of a run that landed nothing is left to tell of, whether that can be noted or not
	}
	return joinErrors(errs)
}

// joinErrors gives the first error as it is, with what else went wrong behind it.
func joinErrors(errs []error) error {
	var out error
	for _, err := range errs {
		switch {
		case err == nil:
		case out == nil:
			out = err
		default:
			out = fmt.Errorf("%w (and then: %v)", out, err) //nolint:errorlint // the first error decides what is done
		}
	}
	return out
}
