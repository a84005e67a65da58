package pipeline

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// releasing decides what a build tells whoever may see aggregates alone. The exact cells are counted while the marts are at hand, and
// what is decided is kept in the commit that shows the marts, since the next build has to know it.
type releasing struct {
	exact []disclosure.Exact
	// failed says why nothing new is released: it keeps no marts from being published.
	failed error
}

// count counts the cells of every group. It is what models.Inputs.Then takes.
func (r *releasing) count(ctx context.Context, marts *stdsql.Conn) error {
	r.exact, r.failed = nil, nil
	for _, group := range disclosure.Groups() {
		exact, err := disclosure.Compute(ctx, marts, group)
		if ctx.Err() != nil {
			return fmt.Errorf("counting what may be told in aggregates: %w", ctx.Err())
		}
		r.failed = errors.Join(r.failed, err)
		r.exact = append(r.exact, exact)
	}
	return nil
}

// isCounted says that there is something to decide.
func (r *releasing) isCounted() bool { return r.failed == nil }

// place decides, beside what the live commit released, and stores the decision. Where nothing can be decided the tables of the
// build before stay, with their day.
func (r *releasing) place(ctx context.Context, tx *lake.Tx, b *building) (isNew bool, err error) {
	if !r.isCounted() {
		return false, nil
	}
	body, err := b.snapshot.Released(ctx)
	if err != nil {
		return false, err
	}
	var before *disclosure.Pattern
	if body != nil {
		if before, err = disclosure.ParsePattern(body); err != nil {
			return false, err
		}
	}
	snapshot := disclosure.Snapshot{AsOf: b.in.AsOf, Groups: disclosure.Groups(), Exact: r.exact}
	_, pattern, err := disclosure.Release(ctx, snapshot, before, disclosure.Settings{})
	if err != nil {
		if ctx.Err() != nil {
			return false, fmt.Errorf("deciding what may be told in aggregates: %w", ctx.Err())
		}
		r.failed = err
		return false, nil
	}
	if body, err = pattern.JSON(); err != nil {
		return false, err
	}
	return tx.PutReleased(ctx, body)
}

// warning says that what is told in aggregates is of an earlier build, empty where it is of this one.
func (r *releasing) warning() string {
	if r == nil || r.failed == nil {
		return ""
	}
	return "what may be told in aggregates could not be decided, so it stays as it was: " + r.failed.Error()
}
