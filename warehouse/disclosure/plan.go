package disclosure

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// state is what becomes of a cell.
type state uint8

const (
	// shown cells are published; a cell of nobody is shown as zero.
	shown state = iota
	// hidden cells are of somebody, as everybody can tell.
	hidden
	// withheld cells are in a line that is hidden whole, so that nobody can tell which of them are zero.
	withheld
)

// slot is one cell of a table on the way to its state, and what it was in the snapshot before.
type slot struct {
	label Label
	now   Cell
	state state

	before      Cell
	beforeState state
	// base is how many patients a suppressed cell was of when it was last of too few.
	base int64
	// linked says that the line it lies in is the same as before, cell by cell: who sees both snapshots knows it.
	linked bool
	// margin is of an arc that is another table's slot: it is not this table's to hide.
	margin bool
}

// down is how many a cell may lose in a table that agrees with what is shown: nobody can tell zero in a withheld line.
func down(c Cell, s state) int64 {
	if s == withheld {
		return c.room()
	}
	return max(c.room()-1, 0)
}

func (s *slot) sensitive(threshold int64) bool {
	return s.now.Patients > 0 && s.now.Patients < threshold
}

// mayHide says whether hiding the cell would be worth anything.
func (s *slot) mayHide() bool { return s.state == shown && !s.linked && !s.margin && s.now.room() > 0 }

// tablePlan is one table with the states of its cells.
type tablePlan struct {
	table Table
	slots []*slot
	at    map[Label]*slot
}

// groupPlan is one group of a snapshot with the snapshot before.
type groupPlan struct {
	group     Group
	threshold int64
	// values are those of each dimension, in this snapshot or the one before.
	values map[string][]string
	tables map[string]*tablePlan
	// again says that there is a snapshot before.
	again bool
}

func newGroupPlan(group Group, exact Exact, before *Remembered, threshold int64) *groupPlan {
	p := &groupPlan{group: group, threshold: threshold, again: before != nil, values: map[string][]string{}, tables: map[string]*tablePlan{}}
	remembered := before.byLabel()
	for _, table := range group.Tables {
		for i, dimension := range table.Dimensions {
			for label := range exact.Cells[table.Name] {
				p.values[dimension] = append(p.values[dimension], label[i])
			}
			for label := range remembered[table.Name] {
				p.values[dimension] = append(p.values[dimension], label[i])
			}
		}
	}
	for dimension, values := range p.values {
		slices.Sort(values)
		p.values[dimension] = slices.Compact(values)
	}
	zero := make([]int64, len(group.Measures))
	// Where a group had other measures before, what is the same is seen by its patients.
	sameMeasures := before == nil || slices.Equal(before.Measures, group.measureNames())
	for _, table := range group.Tables {
		plan := &tablePlan{table: table, at: map[Label]*slot{}}
		for _, label := range p.labels(table) {
			s := &slot{label: label, now: Cell{Measures: zero}, before: Cell{Measures: zero}}
			if c, ok := exact.Cells[table.Name][label]; ok {
				s.now = c
			}
			if c, ok := remembered[table.Name][label]; ok {
				s.before, s.beforeState, s.base = c.Cell, c.State, c.Base
				if !sameMeasures && s.before.Patients == s.now.Patients {
					s.before.Measures = s.now.Measures
				}
			}
			plan.slots = append(plan.slots, s)
			plan.at[label] = s
		}
		p.tables[table.Name] = plan
	}
	if p.again {
		p.link()
	}
	return p
}

// labels are all cells that a table can have.
func (p *groupPlan) labels(table Table) []Label {
	switch len(table.Dimensions) {
	case 0:
		return []Label{{}}
	case 1:
		out := make([]Label, 0, len(p.values[table.Dimensions[0]]))
		for _, v := range p.values[table.Dimensions[0]] {
			out = append(out, Label{v})
		}
		return out
	default:
		var out []Label
		for _, a := range p.values[table.Dimensions[0]] {
			for _, b := range p.values[table.Dimensions[1]] {
				out = append(out, Label{a, b})
			}
		}
		return out
	}
}

// link marks the cells of lines in which nothing changed.
func (p *groupPlan) link() {
	changed := map[string]map[string]bool{} // dimension, value
	crossed := map[string]bool{}
	note := func(dimension, value string) {
		if changed[dimension] == nil {
			changed[dimension] = map[string]bool{}
		}
		changed[dimension][value] = true
	}
	for _, table := range p.group.Tables {
		if len(table.Dimensions) != 2 {
			continue
		}
		plan := p.tables[table.Name]
		lines := [2]map[string]bool{{}, {}}
		for _, s := range plan.slots {
			if s.now.equal(s.before) {
				continue
			}
			for i := range 2 {
				lines[i][s.label[i]] = true
				note(table.Dimensions[i], s.label[i])
			}
		}
		for i, dimension := range table.Dimensions {
			crossed[dimension] = true
			if _, constrained := p.group.margin(dimension); !constrained {
				lines[i] = nil
			}
		}
		for _, s := range plan.slots {
			s.linked = lines[0] != nil && !lines[0][s.label[0]] || lines[1] != nil && !lines[1][s.label[1]]
		}
	}
	for _, table := range p.group.Tables {
		if len(table.Dimensions) != 1 {
			continue
		}
		plan := p.tables[table.Name]
		same := !slices.ContainsFunc(plan.slots, func(s *slot) bool { return !s.now.equal(s.before) })
		for _, s := range plan.slots {
			dimension := table.Dimensions[0]
			s.linked = same || crossed[dimension] && !changed[dimension][s.label[0]] && s.now.equal(s.before)
		}
	}
}

// start gives each cell of a table the state that it has by itself: hidden if it is of too few, or was and is not of
// enough more since; as before if its line is the same as before.
func (p *groupPlan) start(plan *tablePlan) {
	for _, s := range plan.slots {
		switch {
		case s.linked:
			s.state = s.beforeState
		case s.sensitive(p.threshold):
			s.state = hidden
		case s.beforeState != shown && s.base > 0 && s.now.Patients > 0 && s.now.Patients < s.base+p.threshold:
			s.state = hidden
		}
	}
}

// withhold hides a line of a table whole: the cells of one value of one of its dimensions, or all of them where value
// is nil. What is linked stays as it was.
func (plan *tablePlan) withhold(dimension int, value *string) (changed bool) {
	for _, s := range plan.slots {
		if s.linked || s.state == withheld || value != nil && s.label[dimension] != *value {
			continue
		}
		s.state, changed = withheld, true
	}
	return changed
}

// withholdAll hides every cell of the group but the total.
func (p *groupPlan) withholdAll(total bool) {
	for _, table := range p.group.Tables {
		for _, s := range p.tables[table.Name].slots {
			if len(table.Dimensions) > 0 || total {
				s.state = withheld
			}
		}
	}
}

func sortedLabels(cells map[Label]Cell) []Label {
	return slices.SortedFunc(maps.Keys(cells), func(a, b Label) int {
		return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
	})
}

func (l Label) String() string { return strings.TrimSuffix(l[0]+" × "+l[1], " × ") }
