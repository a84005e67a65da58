// Package disclosure decides which numbers about a clinic's patients may be shown to somebody who may see no rows.
//
// A Group is a base of things (leaks, appointments, episodes …) with its released tables: the total, the base by one
// dimension, and by two. A cell that is of 1 to Threshold−1 patients is suppressed with all its measures, and enough
// others with it that no suppressed cell can be derived from the rest. What is suppressed is remembered in a Pattern,
// kept beside the snapshot, so that the next snapshot does not tell what this one withheld. What exactly is promised is
// in docs/decisions/0030-what-aggregates-tell.md.
//
// The way of proof: a table with its totals is a network (a node a row, a node a column, a cell an arc), in which every
// other table that agrees with all that is shown is a circulation. For each suppressed cell two such circulations are
// found, both of whole numbers none of which is negative, that differ in the cell by Threshold or more. The dimensions
// of a group are crossed so that no three of them form a circle; tables that agree on the dimensions which they share
// are then all made of the same people, so that what holds of each table holds of all together.
package disclosure

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MinThreshold is the least number of patients that a shown cell is of, and how far apart the values are at least that
// a suppressed cell may have.
const MinThreshold = 11

// Settings say how strict to be.
type Settings struct {
	// Threshold is the least number of patients of a shown cell; zero is MinThreshold. It cannot be lower.
	Threshold int64
}

func (s Settings) threshold() (int64, error) {
	switch {
	case s.Threshold == 0:
		return MinThreshold, nil
	case s.Threshold < MinThreshold:
		return 0, fmt.Errorf("a threshold of %d patients is too low: cells are shown of %d patients or more", s.Threshold, MinThreshold)
	default:
		return s.Threshold, nil
	}
}

// Cell is what is counted and summed in one cell of a table.
type Cell struct {
	// Patients is how many people the cell is of, each counted once. Suppression looks at it; it is shown only where the
	// group has it as a measure.
	Patients int64 `json:"p"`
	// Measures are in the order of the group's. The first counts the base's things.
	Measures []int64 `json:"m"`
}

// room is how much of the cell a table that agrees with everything shown may give to other cells: people, or things
// where there are fewer of them.
func (c Cell) room() int64 {
	if len(c.Measures) == 0 {
		return c.Patients
	}
	return max(min(c.Patients, c.Measures[0]), 0)
}

func (c Cell) isZero() bool {
	return c.Patients == 0 && !slices.ContainsFunc(c.Measures, func(m int64) bool { return m != 0 })
}

func (c Cell) equal(other Cell) bool {
	return c.Patients == other.Patients && slices.Equal(c.Measures, other.Measures)
}

// Label names a cell of a table by its values of the table's dimensions; what the table does not have is empty.
type Label [2]string

// Exact is one group of a snapshot before suppression: the cells of each of its tables, by the table's name. What is
// not there is zero.
type Exact struct {
	Group string
	Cells map[string]map[Label]Cell
}

// Measure is one number of a cell.
type Measure struct {
	Name string
	// Unit is count, cents, minutes or days.
	Unit string
	// Tables are those that have it, all where it is empty.
	Tables []string
}

// Share is a quotient of two measures of a shown cell. Nothing else goes into it.
type Share struct{ Name, Numerator, Denominator string }

// Table is one released table.
type Table struct {
	// Name is that of the table in the schema released.
	Name, Title string
	// Dimensions are at most two, of the group's.
	Dimensions []string
	// Metrics are those of sql/metrics that the table serves.
	Metrics []string

	// cells is what the table is called in the mart that has its cells.
	cells string
}

// Group is a base and the tables that are released of it. All of them are of the same things: a dimension's values add
// up to the total, and a crossing's cells to both.
type Group struct {
	Name string
	// Base says what is counted: patients, episodes, appointments, leaks …
	Base string
	// Marts are those that the cells are counted in.
	Marts    []string
	Measures []Measure
	Shares   []Share
	// Part says what the cells are parts of, if they are parts of other groups' cells and add up to nothing.
	Part *Part
	// Tables begin with the total, except of parts. A dimension whose own table is not among them has no totals to derive from.
	Tables []Table
}

// validate holds what the proof needs: one total, at most two dimensions, no circle of crossings.
func (g Group) validate() error {
	if g.Part != nil {
		if len(g.Tables) != 1 || len(g.Tables[0].Dimensions) != 2 || len(g.Measures) != 3 {
			return errors.New("parts are in one table of two dimensions, and have three measures")
		}
		return nil
	}
	if len(g.Tables) == 0 || len(g.Tables[0].Dimensions) != 0 {
		return errors.New("the first table is the total")
	}
	if len(g.Measures) == 0 || g.Measures[0].Unit != "count" {
		return errors.New("the first measure counts the base's things")
	}
	root := map[string]string{}
	var find func(string) string
	find = func(d string) string {
		if up, ok := root[d]; ok && up != d {
			return find(up)
		}
		return d
	}
	for _, table := range g.Tables[1:] {
		switch len(table.Dimensions) {
		case 1:
		case 2:
			a, b := find(table.Dimensions[0]), find(table.Dimensions[1])
			if a == b {
				return fmt.Errorf("table %s closes a circle of dimensions: %s", table.Name, strings.Join(table.Dimensions, " and "))
			}
			root[a] = b
		default:
			return fmt.Errorf("table %s has %d dimensions, and may have 1 or 2", table.Name, len(table.Dimensions))
		}
	}
	return nil
}

// margin finds the table of one dimension.
func (g Group) margin(dimension string) (Table, bool) {
	at := slices.IndexFunc(g.Tables, func(t Table) bool { return len(t.Dimensions) == 1 && t.Dimensions[0] == dimension })
	if at < 0 {
		return Table{}, false
	}
	return g.Tables[at], true
}

func (g Group) measureNames() []string {
	names := make([]string, len(g.Measures))
	for i, m := range g.Measures {
		names[i] = m.Name
	}
	return names
}

// check holds what the proof rests on: cells add up to the totals that are released beside them.
func (e Exact) check(g Group) error {
	if g.Part != nil {
		return nil
	}
	total := e.Cells[g.Tables[0].Name][Label{}]
	for _, t := range g.Tables[1:] {
		sums := map[string]map[Label][]int64{}
		add := func(margin string, label Label, cell Cell) {
			if sums[margin] == nil {
				sums[margin] = map[Label][]int64{}
			}
			if sums[margin][label] == nil {
				sums[margin][label] = make([]int64, len(g.Measures))
			}
			for i := range min(len(g.Measures), len(cell.Measures)) {
				sums[margin][label][i] += cell.Measures[i]
			}
		}
		for label, cell := range e.Cells[t.Name] {
			add(g.Tables[0].Name, Label{}, cell)
			for i, d := range t.Dimensions {
				if margin, ok := g.margin(d); ok && len(t.Dimensions) == 2 {
					add(margin.Name, Label{label[i]}, cell)
				}
			}
		}
		if sums[g.Tables[0].Name] == nil && !total.isZero() {
			return fmt.Errorf("table %s is empty, and the total is not", t.Name)
		}
		for margin, lines := range sums {
			for label, sum := range lines {
				of := e.Cells[margin][label]
				for i, m := range g.Measures {
					if m.has(t) && (i >= len(of.Measures) || of.Measures[i] != sum[i]) {
						return fmt.Errorf("the cells of table %s do not add up to %s in %s", t.Name, margin, m.Name)
					}
				}
			}
		}
	}
	return nil
}
