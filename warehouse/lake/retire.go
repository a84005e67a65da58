package lake

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Retire marks a commit that took months out of the lake whose retention period is over.
const Retire Kind = "retire"

// Retired are the months of a dataset that begin before a day, which is the first of a month, as a commit names them.
func (d Dataset) Retired(before civil.Date) []Object {
	var out []Object
	for _, o := range d.Objects {
		if monthName.MatchString(o.Month) && o.Month != contract.Undated && o.Month < before.String()[:len("2006-01")] {
			out = append(out, o)
		}
	}
	return out
}

// RetireMonths takes the months of a dataset before a day, the first of a month, out of the commit in the making, with what is
// known of their coverage and of units that were removed from them. Earlier commits keep them until they are let go.
func (tx *Tx) RetireMonths(ctx context.Context, dataset string, before civil.Date) ([]Object, error) {
	if !plausible(before) || before.Day != 1 {
		return nil, fmt.Errorf("retire months of %s before %v: that is not the first day of a month", dataset, before)
	}
	was, found := tx.next.Datasets[dataset]
	if !found {
		return nil, nil
	}
	gone := was.Retired(before)
	next := Dataset{Objects: slices.Clone(was.Objects[len(gone):]), Removed: was.Removed} // in order of month: they lead
	for _, c := range was.Covers {
		switch {
		case !c.From.IsValid(), !c.From.Before(before):
		case c.To.Before(before):
			continue
		default:
			c.From = before
		}
		next.Covers = append(next.Covers, c)
	}
	if was.Removed != nil {
		removed, err := tx.retireGraves(ctx, dataset, *was.Removed, contract.DayOf(before))
		if err != nil {
			return nil, fmt.Errorf("retire months of %s of clinic %s: %w", dataset, tx.clinic.id, err)
		}
		next.Removed = removed
	}
	put(&tx.next.Datasets, dataset, next)
	return gone, nil
}

// retireGraves forgets the removed units whose day was before that one.
func (tx *Tx) retireGraves(ctx context.Context, dataset string, o Object, before int32) (*Object, error) {
	body, err := tx.clinic.fetch(ctx, o)
	if err != nil {
		return nil, err
	}
	graves, err := decodeGraveyard(body)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", o.Path, err)
	}
	all := len(graves.units)
	for unit, r := range graves.units {
		if r.Day != noDay && r.Day < before {
			delete(graves.units, unit)
		}
	}
	switch len(graves.units) {
	case all:
		return &o, nil
	case 0:
		return nil, nil //nolint:nilnil // nothing is removed any more, so nothing is listed
	}
	if body, err = graves.encode(); err != nil {
		return nil, err
	}
	left, err := tx.upload(ctx, "data/"+dataset+"/removed/", ".parquet", body)
	if err != nil {
		return nil, err
	}
	left.Rows, left.Schema = int64(len(graves.units)), schemaHash(removedSchema)
	return &left, nil
}
