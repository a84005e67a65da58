package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Pruning is what goes from a clinic's backups in one store, and what stays.
type Pruning struct {
	// Kept and Dropped are backups, the oldest first. The newest is always kept.
	Kept, Dropped []*Manifest
	// Lost are the objects of dropped backups that no kept one has, in the order of their names in the lake.
	Lost []Entry
	// Unnamed counts objects that no backup names, left by ones that were cut short.
	Unnamed int

	going map[string]bool // the names of objects in the store that go
	after int64           // the newest number when this was planned
}

// Bytes adds up what the lost objects have in the lake.
func (p *Pruning) Bytes() int64 {
	var n int64
	for _, e := range p.Lost {
		n += e.Bytes
	}
	return n
}

// unnamedAge is how old an object must be to go that no backup names: a backup under way may be about to name it.
const unnamedAge = 24 * time.Hour

// Prunable plans what goes where the newest backup stays, the last of each of the newest keep.Daily days that have one, and the
// last of each of the newest keep.Monthly months; of those, what must goes nevertheless where must says so of one of its entries. A
// nil must asks for none. It changes nothing.
func (p Place) Prunable(ctx context.Context, keep lake.Retention, must func(e Entry) bool, now time.Time) (*Pruning, error) {
	all, err := p.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w of clinic %s in %s", ErrNone, p.clinic, p.store)
	}
	out := &Pruning{going: map[string]bool{}, after: all[len(all)-1].Number}
	days, months := map[string]bool{}, map[string]bool{}
	for i, m := range slices.Backward(all) {
		// Going back in time the first of a day is the last that was made on it.
		stays := i == len(all)-1
		for _, period := range []struct {
			seen map[string]bool
			key  string
			most int
		}{{days, m.CreatedAt.Format(time.DateOnly), keep.Daily}, {months, m.CreatedAt.Format("2006-01"), keep.Monthly}} {
			if !period.seen[period.key] && len(period.seen) < period.most {
				period.seen[period.key] = true
				stays = true
			}
		}
		if stays && i < len(all)-1 && must != nil && slices.ContainsFunc(m.Entries, must) {
			stays = false
		}
		if stays {
			out.Kept = append(out.Kept, m)
		} else {
			out.Dropped = append(out.Dropped, m)
		}
	}
	slices.Reverse(out.Kept)
	slices.Reverse(out.Dropped)
	return out, p.lost(ctx, out, now)
}

// lost finds out which objects go.
func (p Place) lost(ctx context.Context, out *Pruning, now time.Time) error {
	stays, named := map[string]bool{}, map[string]bool{}
	for _, m := range out.Kept {
		for _, e := range m.Entries {
			stays[e.Object] = true
		}
	}
	for _, m := range out.Dropped {
		for _, e := range m.Entries {
			if !stays[e.Object] && !named[e.Object] {
				named[e.Object] = true
				out.Lost = append(out.Lost, e)
			}
		}
	}
	slices.SortFunc(out.Lost, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for e, err := range p.store.Entries(ctx, p.name(objects), "") {
		switch {
		case err != nil:
			return fmt.Errorf("look for what lies in the backups of clinic %s: %w", p.clinic, err)
		case stays[e.Name]:
		case named[e.Name]:
			out.going[e.Name] = true
		case e.Modified.Before(now.Add(-unnamedAge)):
			out.going[e.Name] = true
			out.Unnamed++
		}
	}
	return nil
}

// ErrMadeMeanwhile says that a backup was made while others were pruned.
var ErrMadeMeanwhile = errors.New("a backup was made meanwhile")

// Prune removes what was planned, for good: on a bucket that keeps versions, every version of it. Manifests go first, so that no
// backup is ever listed that is not whole; cut short, the next goes on with it. It refuses with ErrMadeMeanwhile where a backup was
// made since it was planned, before anything is removed; where one was made during the removal it says so at the end, and that
// one is to be verified.
func (p Place) Prune(ctx context.Context, plan *Pruning) error {
	fail := func(err error) error {
		return fmt.Errorf("prune the backups of clinic %s in %s: %w", p.clinic, p.store, err)
	}
	if err := p.unchanged(ctx, plan); err != nil {
		return fail(fmt.Errorf("%w: list what goes again", err))
	}
	dropped := map[string]bool{}
	for _, m := range plan.Dropped {
		dropped[p.manifestName(m.Number)] = true
	}
	for _, step := range []struct {
		folder string
		going  map[string]bool
	}{{manifests, dropped}, {objects, plan.going}} {
		if err := p.remove(ctx, p.name(step.folder), step.going); err != nil {
			return fail(err)
		}
	}
	if err := p.unchanged(ctx, plan); err != nil {
		return fail(fmt.Errorf("what was to go is gone, and %w: verify that with falloff backup --verify; where it lacks something, falloff backup --full sends it anew", err))
	}
	return nil
}

func (p Place) unchanged(ctx context.Context, plan *Pruning) error {
	numbers, err := p.numbers(ctx)
	if err == nil && len(numbers) > 0 && numbers[len(numbers)-1] != plan.after {
		err = ErrMadeMeanwhile
	}
	return err
}

func (p Place) remove(ctx context.Context, folder string, going map[string]bool) error {
	if len(going) == 0 {
		return nil
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var listing error
	for t, err := range lake.Everything(ctx, p.store, folder) {
		if err != nil {
			listing = err
			break
		}
		if going[t.Name] {
			group.Go(func() error { return lake.Remove(working, p.store, t) })
		}
	}
	return errors.Join(group.Wait(), listing)
}
