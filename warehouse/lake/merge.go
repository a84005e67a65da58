package lake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// standing is what versions of one unit compete by: the one last known to stand wins, and of two last seen on one day the
// one whose content compares higher.
type standing struct {
	day       int32
	effective int32
	content   content
}

func (s standing) beats(other standing) bool {
	if d := cmp.Compare(s.effective, other.effective); d != 0 {
		return d > 0
	}
	return s.content.compare(other.content) > 0
}

// version is one unit as a batch has it.
type version[T contract.Row] struct {
	unit     string
	rows     []T // sorted by key, of one day and one observation
	standing standing
	observed int32
	known    bool // content is worked out
	outcome  outcome
}

type outcome byte

const (
	undecided outcome = iota // no partition holds the unit
	lost                     // what the lake knows stands
	won
)

func (t Table[T]) weigh(v *version[T]) standing {
	if !v.known {
		v.standing.content, v.known = t.contentOf(v.rows), true
	}
	return v.standing
}

// incoming is a batch as versions, one a unit.
type incoming[T contract.Row] struct {
	units map[string]*version[T]
	// inOrder has the same in the order of the batch, so that what follows neither depends on a map's order nor jumps about.
	inOrder []*version[T]
}

// group turns a batch's rows into one version a unit. Rows of a unit that share day and observation are one version; of several
// versions in one batch the best is kept.
func (t Table[T]) group(rows []T, covers coverage) (incoming[T], error) {
	in := incoming[T]{units: make(map[string]*version[T], len(rows)), inOrder: make([]*version[T], 0, len(rows))}
	slab := make([]version[T], 0, len(rows)) // there are no more versions than rows, so it never moves
	begin := func(unit string, day, observed int32) *version[T] {
		slab = append(slab, version[T]{unit: unit, observed: observed, standing: standing{day: day, effective: covers.effective(day, observed)}})
		return &slab[len(slab)-1]
	}
	var rivals map[string][]*version[T]
	for i := range rows {
		r := rows[i]
		if err := t.datable(r); err != nil {
			return incoming[T]{}, err
		}
		unit, day, observed := r.Unit(), r.Day(), r.Observed()
		v := in.units[unit]
		if v != nil && (v.standing.day != day || v.observed != observed) {
			v = nil
			for _, rival := range rivals[unit] {
				if rival.standing.day == day && rival.observed == observed {
					v = rival
				}
			}
			if v == nil {
				v = begin(unit, day, observed)
				put(&rivals, unit, append(rivals[unit], v))
			}
		}
		if v == nil {
			v = begin(unit, day, observed)
			in.units[unit] = v
			in.inOrder = append(in.inOrder, v)
		}
		if v.rows == nil {
			v.rows = rows[i : i+1 : i+1] // most units are one row: no copy
		} else {
			v.rows = append(v.rows, r)
		}
	}
	for _, v := range in.inOrder {
		t.tidy(v)
	}
	for unit, others := range rivals {
		best := in.units[unit]
		for _, v := range others {
			t.tidy(v)
			if t.weigh(v).beats(t.weigh(best)) {
				*best, *v = *v, *best // where it is, the order finds it
			}
		}
	}
	return in, nil
}

// tidy sorts a version's rows, and of rows with one key keeps the one that compares highest.
func (t Table[T]) tidy(v *version[T]) {
	if len(v.rows) < 2 {
		return
	}
	byContent := func(a, b T) int { return t.contentOf([]T{a}).compare(t.contentOf([]T{b})) }
	slices.SortFunc(v.rows, func(a, b T) int {
		return cmp.Or(strings.Compare(a.Key(), b.Key()), -byContent(a, b))
	})
	v.rows = slices.CompactFunc(v.rows, func(a, b T) bool { return a.Key() == b.Key() })
}

// datable says why a row cannot be placed in the lake, without saying whose it is.
func (t Table[T]) datable(r T) error {
	switch day := r.Day(); {
	case t.undated && day != noDay:
		return fmt.Errorf("a row of %s has a day, though its table says that rows have none", t.name)
	case !t.undated && !plausibleDay(day):
		return fmt.Errorf("a row of %s has no day, or one outside of the years 1000 to 9999", t.name)
	case !plausibleDay(r.Observed()):
		return fmt.Errorf("a row of %s has no day of observation, or one outside of the years 1000 to 9999", t.name)
	}
	return nil
}

// Days since 1970-01-01 of 1000-01-01 and 9999-12-31.
const firstDay, lastDay = -354285, 2932896

func plausibleDay(day int32) bool { return day >= firstDay && day <= lastDay }

// merge is one Upsert at work: what was covered before it and is after it, and what it decides.
type merge[T contract.Row] struct {
	table Table[T]
	// added is the batch's own coverage, before and after the dataset's.
	before, added, after coverage
	incoming             incoming[T]
	graves               graveyard
	merged               Merged
	months               map[int32]string // by day: there are few days and many rows
}

func (m *merge[T]) month(day int32) string {
	month, ok := m.months[day]
	if !ok {
		month = contract.MonthOf(day)
		put(&m.months, day, month)
	}
	return month
}

// verdict says what becomes of a unit that a partition holds.
type verdict byte

const (
	keep verdict = iota
	drop
	raise // keep, but as seen on a later day
)

// judge decides about a stored unit. Rows must be sorted by key. It returns the day of observation for raise.
func (m *merge[T]) judge(unit string, rows []T) (verdict, int32) {
	day, observed := rows[0].Day(), rows[0].Observed()
	stored := standing{day: day, effective: m.before.effective(day, observed)}
	v := m.incoming.units[unit]
	if v == nil {
		if !m.after.refutes(day, stored.effective) {
			if !m.added.contradicts(day, stored.effective) {
				return keep, 0
			}
			stored.effective-- // an equal complete report may bring it back, a plain one may not
		}
		stored.content = m.table.contentOf(rows)
		m.graves.bury(unit, stored)
		m.merged.Removed++
		return drop, 0
	}
	stored.content = m.table.contentOf(rows)
	arrived := m.table.weigh(v)
	switch {
	case stored.content == arrived.content:
		v.outcome = lost
		stored.effective = max(stored.effective, arrived.effective)
	case arrived.beats(stored) || arrived.effective == stored.effective && isComplete(arrived.effective):
		if m.after.refutes(arrived.day, arrived.effective) {
			v.outcome = lost
			m.graves.bury(unit, arrived)
			m.merged.Removed++
		} else {
			v.outcome = won
			m.merged.Changed++
		}
		return drop, 0
	default:
		v.outcome = lost
	}
	if m.after.refutes(day, stored.effective) {
		m.graves.bury(unit, stored)
		m.merged.Removed++
		return drop, 0
	}
	if stored.content == arrived.content {
		m.merged.Unchanged++
	} else {
		m.merged.Outdated++
	}
	if m.after.effective(day, observed) != stored.effective {
		return raise, stored.effective / 2 // what coverage does not explain, a plain report showed
	}
	return keep, 0
}

// judgeRest decides about the units that no partition holds.
func (m *merge[T]) judgeRest() {
	for _, v := range m.incoming.inOrder {
		if v.outcome != undecided {
			continue
		}
		unit := v.unit
		best := v.standing
		fromBatch := true
		if grave, found := m.graves.find(unit); found {
			arrived := m.table.weigh(v)
			best = arrived
			switch {
			case grave.content == arrived.content:
				best.effective = max(grave.effective, arrived.effective)
			case grave.beats(arrived):
				best, fromBatch = grave, false
			}
		}
		if !fromBatch || m.after.refutes(best.day, best.effective) {
			v.outcome = lost
			m.merged.Outdated++
			if fromBatch {
				best.content = m.table.weigh(v).content
				m.graves.bury(unit, best)
			}
			continue
		}
		v.outcome = won
		m.merged.Added++
		m.graves.forget(unit)
	}
}
