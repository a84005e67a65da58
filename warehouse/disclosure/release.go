package disclosure

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"
)

// Row is one cell of a released table.
type Row struct {
	// Label has the values of the table's dimensions.
	Label []string
	// Values are the group's measures in order; they are worth nothing where the row is suppressed.
	Values     []int64
	Suppressed bool
}

// ReleasedTable is a table as anybody who may see aggregates sees it.
type ReleasedTable struct {
	Table Table
	Group Group
	// AsOf is the day that its numbers are of: earlier than the snapshot's where showing newer ones would have told what
	// was suppressed.
	AsOf civil.Date
	Rows []Row
	// Withheld is how many of the rows are suppressed.
	Withheld int
}

// Released are the released tables of one snapshot.
type Released struct {
	AsOf   civil.Date
	tables []ReleasedTable
}

// Tables are all of them, in the order of the groups.
func (r *Released) Tables() []ReleasedTable { return slices.Clone(r.tables) }

// Only are those of the tables that have one of the names.
func (r *Released) Only(names []string) *Released {
	return &Released{AsOf: r.AsOf, tables: slices.DeleteFunc(slices.Clone(r.tables), func(t ReleasedTable) bool {
		return !slices.Contains(names, t.Table.Name)
	})}
}

// Table finds one by its name.
func (r *Released) Table(name string) (ReleasedTable, bool) {
	at := slices.IndexFunc(r.tables, func(t ReleasedTable) bool { return t.Table.Name == name })
	if at < 0 {
		return ReleasedTable{}, false
	}
	return r.tables[at], true
}

// Note says in words what is withheld of the table, empty where nothing is.
func (t ReleasedTable) Note(threshold int64, snapshot civil.Date) string {
	var note string
	switch t.Withheld {
	case 0:
	case 1:
		note = fmt.Sprintf("1 cell is withheld: it is of fewer than %d patients, or would tell of one that is.", threshold)
	default:
		note = fmt.Sprintf("%d cells are withheld: they are of fewer than %d patients, or would tell of ones that are.", t.Withheld, threshold)
	}
	if t.AsOf != snapshot {
		if note != "" {
			note += " "
		}
		note += fmt.Sprintf("As of %s: newer numbers would tell what is withheld.", t.AsOf)
	}
	return note
}

// Note says in words what is withheld of the snapshot.
func (r *Released) Note() string {
	cells, tables := 0, 0
	for _, t := range r.tables {
		if t.Withheld > 0 {
			cells += t.Withheld
			tables++
		}
	}
	if cells == 0 {
		return "Nothing is withheld."
	}
	return fmt.Sprintf("%s of %s are withheld, so that no number tells of a few patients.", some(cells, "cell"), some(tables, "table"))
}

// Snapshot is what is to be released: the exact tables of each group, as Compute gives them.
type Snapshot struct {
	AsOf   civil.Date
	Groups []Group
	Exact  []Exact
}

// Release decides what of a snapshot may be shown beside what was released of the one before, which is nil at first,
// and what has to be remembered for the next. The same input gives the same output.
//
// A group that cannot be shown beside what was shown before, whatever else is suppressed, is held back: its tables stay
// those of the snapshot before, and say of which day they are.
func Release(ctx context.Context, snapshot Snapshot, before *Pattern, settings Settings) (*Released, *Pattern, error) {
	threshold, err := settings.threshold()
	if err != nil {
		return nil, nil, err
	}
	released := &Released{AsOf: snapshot.AsOf}
	pattern := &Pattern{Threshold: threshold, Groups: map[string]*Remembered{}}
	for _, group := range snapshot.Groups {
		if err := group.validate(); err != nil {
			return nil, nil, fmt.Errorf("releasing group %s: %w", group.Name, err)
		}
		at := slices.IndexFunc(snapshot.Exact, func(e Exact) bool { return e.Group == group.Name })
		if at < 0 {
			continue
		}
		if err := snapshot.Exact[at].check(group); err != nil {
			return nil, nil, fmt.Errorf("releasing group %s: %w", group.Name, err)
		}
		var remembered *Remembered
		if group.Part != nil {
			remembered = releaseParts(group, snapshot.Exact[at], pattern.Groups[group.Part.Group], before.group(group), snapshot.AsOf, threshold)
		} else if remembered, err = releaseGroup(ctx, group, snapshot.Exact[at], before.group(group), snapshot.AsOf, threshold); err != nil {
			return nil, nil, fmt.Errorf("releasing group %s: %w", group.Name, err)
		}
		pattern.Groups[group.Name] = remembered
		released.tables = append(released.tables, remembered.tables(group)...)
	}
	return released, pattern, nil
}

func releaseGroup(ctx context.Context, group Group, exact Exact, before *Remembered, asOf civil.Date, threshold int64) (*Remembered, error) {
	plan := newGroupPlan(group, exact, before, threshold)
	err := plan.protect(ctx)
	if _, unprotected := errors.AsType[*unprotectedError](err); unprotected {
		return before, nil
	}
	if err != nil {
		return nil, err
	}
	return plan.remember(asOf), nil
}

// group is what is remembered of a group, nil where nothing is.
func (p *Pattern) group(g Group) *Remembered {
	if p == nil {
		return nil
	}
	return p.Groups[g.Name]
}

// tables are the released tables of the group as it is remembered: what is suppressed is in the rows, and its numbers
// are not.
func (r *Remembered) tables(group Group) []ReleasedTable {
	out := make([]ReleasedTable, 0, len(group.Tables))
	for _, table := range group.Tables {
		t := ReleasedTable{Table: table, Group: group, AsOf: r.AsOf}
		for _, c := range r.Cells[table.Name] {
			row := Row{Label: c.Label[:len(table.Dimensions)], Values: make([]int64, len(group.Measures)), Suppressed: c.State != shown}
			if row.Suppressed {
				t.Withheld++
			} else {
				copy(row.Values, c.Measures)
			}
			t.Rows = append(t.Rows, row)
		}
		out = append(out, t)
	}
	return out
}

// some is a number of things in words: one cell, two cells.
func some(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
