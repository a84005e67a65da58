package lake

import (
	"cmp"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Cover says that a batch holds every row of a dataset whose day is within From and To, both included, as the source stood on
// ObservedOn. For a dataset whose rows belong to no month From and To stay zero, which means all of it.
type Cover struct {
	From, To   civil.Date
	ObservedOn civil.Date
}

// span is a range of days and the newest observation that covered all of it.
type span struct {
	from, to int32
	observed int32
}

// coverage says for each day when it was last covered. It is kept as disjoint spans in order, none next to one of the
// same observation, so that equal coverage has one form.
type coverage []span

// spansOf turns covers into coverage, or says what is wrong with them.
func (t Table[T]) spansOf(covers []Cover) (coverage, error) {
	var out coverage
	for _, c := range covers {
		switch {
		case !plausible(c.ObservedOn):
			return nil, fmt.Errorf("a cover of %s has no observation day", t.name)
		case t.undated && (c.From != civil.Date{} || c.To != civil.Date{}):
			return nil, fmt.Errorf("a cover of %s from %v to %v: its rows have no day, so a cover of it has none either", t.name, c.From, c.To)
		case !t.undated && (!plausible(c.From) || !plausible(c.To) || c.To.Before(c.From)):
			return nil, fmt.Errorf("a cover of %s from %v to %v is not a range of days", t.name, c.From, c.To)
		}
		s := span{from: noDay, to: noDay, observed: contract.DayOf(c.ObservedOn)}
		if !t.undated {
			s.from, s.to = contract.DayOf(c.From), contract.DayOf(c.To)
		}
		out = out.with(coverage{s})
	}
	return out, nil
}

// at is the newest observation that covered a day, and whether there is one.
func (c coverage) at(day int32) (int32, bool) {
	i, found := slices.BinarySearchFunc(c, day, func(s span, day int32) int {
		switch {
		case s.to < day:
			return -1
		case s.from > day:
			return 1
		}
		return 0
	})
	if !found {
		return 0, false
	}
	return c[i].observed, true
}

// reaches says whether a month has a day that is covered.
func (c coverage) reaches(month string) bool {
	for _, s := range c {
		if contract.MonthOf(s.from) <= month && month <= contract.MonthOf(s.to) {
			return true
		}
	}
	return false
}

// Observations are compared in half days: what a plain report of a day shows counts as seen then, what a complete one shows or
// lacks as seen a little later. So a complete report takes away what a plain one of the same day had, and the next day's
// report is newer than both.
func plainly(day int32) int32    { return 2 * day }
func completely(day int32) int32 { return 2*day + 1 }

// isComplete says whether a half day is that of a complete report.
func isComplete(effective int32) bool { return effective&1 == 1 }

// effective is when a row of that day and observation was last known to stand, in half days: coverage confirms what it did not
// remove.
func (c coverage) effective(day, observed int32) int32 {
	if covered, ok := c.at(day); ok {
		return max(plainly(observed), completely(covered))
	}
	return plainly(observed)
}

// refutes says whether a row of that day, last known to stand at that half day, was absent from a later complete report.
func (c coverage) refutes(day, effective int32) bool {
	covered, ok := c.at(day)
	return ok && completely(covered) > effective
}

// contradicts says whether a stored row that a batch lacks is gone by the batch's own coverage. Of two complete reports of one
// day that differ, the one that is brought later counts: there is nothing else to tell them apart by.
func (c coverage) contradicts(day, effective int32) bool {
	covered, ok := c.at(day)
	return ok && completely(covered) >= effective
}

// with is the newer of both, day by day.
func (c coverage) with(other coverage) coverage {
	if len(other) == 0 {
		return c
	}
	all := append(slices.Clone(c), other...)
	// Between two neighbouring edges nothing changes, so one look at each piece is enough.
	var edges []int64
	for _, s := range all {
		edges = append(edges, int64(s.from), int64(s.to)+1)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out coverage
	for i := 0; i+1 < len(edges); i++ {
		from, to := int32(edges[i]), int32(edges[i+1]-1)
		piece := span{from: from, to: to}
		covered := false
		for _, s := range all {
			if s.from > from {
				break
			}
			if s.to >= to && (!covered || s.observed > piece.observed) {
				piece.observed, covered = s.observed, true
			}
		}
		if !covered {
			continue
		}
		if last := len(out) - 1; last >= 0 && out[last].observed == piece.observed && int64(out[last].to)+1 == int64(piece.from) {
			out[last].to = piece.to
			continue
		}
		out = append(out, piece)
	}
	return out
}
