package disclosure_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// clinic is a small random clinic: things (leaks, say) of patients, each with a value in every dimension.
type clinic struct {
	group  disclosure.Group
	names  []string // of the dimensions
	shape  []int
	things []thing
}

type thing struct {
	patient int
	values  []int
	cents   int64
}

// mostCells bounds the attacker's work: more than this many combinations of values are not tried.
const mostCells = 30

// randomClinic has the tables of one of the groups that are released, as many of its dimensions as the attacker can
// cope with, and few values of each.
func randomClinic(chance *rand.Rand) *clinic {
	groups := slices.DeleteFunc(disclosure.Groups(), func(g disclosure.Group) bool { return g.Part != nil })
	g := groups[chance.IntN(len(groups))]
	c := &clinic{group: disclosure.Group{
		Name: g.Name, Base: g.Base,
		Measures: []disclosure.Measure{{Name: "things", Unit: "count"}, {Name: "amount_cents", Unit: "cents"}},
	}}
	var all []string
	for _, t := range g.Tables {
		for _, d := range t.Dimensions {
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if slices.Contains(all, "month") { // without it nothing would be crossed as a rule
		all = slices.Concat([]string{"month"}, slices.DeleteFunc(all, func(d string) bool { return d == "month" }))
	}
	joint := 1
	for _, d := range all {
		if n := 2 + chance.IntN(4); joint*n <= mostCells {
			c.names, c.shape = append(c.names, d), append(c.shape, n)
			joint *= n
		}
	}
	for _, t := range g.Tables {
		if !slices.ContainsFunc(t.Dimensions, func(d string) bool { return !slices.Contains(c.names, d) }) {
			c.group.Tables = append(c.group.Tables, t)
		}
	}
	// Some values are rare, so that whole lines are small.
	for range 15 + chance.IntN(200) {
		c.add(chance, -1)
	}
	return c
}

func (c *clinic) add(chance *rand.Rand, first int) {
	values := make([]int, len(c.shape))
	for d, n := range c.shape {
		values[d] = min(chance.IntN(n), chance.IntN(n))
	}
	if first >= 0 {
		values[0] = first
	}
	patients := 3 * (len(c.things)/3 + 1)
	if chance.IntN(2) == 0 {
		patients = 40
	}
	c.things = append(c.things, thing{patient: chance.IntN(patients), values: values, cents: int64(chance.IntN(30_000))})
}

// next is the clinic a day later: one value of the first dimension (a month, say) changes, or two, the others do not.
func (c *clinic) next(chance *rand.Rand) *clinic {
	n := *c
	n.things = slices.Clone(c.things)
	for range 1 + chance.IntN(2) {
		value := chance.IntN(c.shape[0])
		for range chance.IntN(12) {
			n.add(chance, value)
		}
		gone := chance.IntN(6)
		n.things = slices.DeleteFunc(n.things, func(t thing) bool {
			if t.values[0] == value && gone > 0 {
				gone--
				return true
			}
			return false
		})
	}
	return &n
}

func (c *clinic) exact() disclosure.Exact {
	e := disclosure.Exact{Group: c.group.Name, Cells: map[string]map[disclosure.Label]disclosure.Cell{}}
	for _, t := range c.group.Tables {
		cells := map[disclosure.Label]disclosure.Cell{}
		seen := map[string]bool{}
		for _, thing := range c.things {
			var label disclosure.Label
			for i, name := range t.Dimensions {
				label[i] = strconv.Itoa(thing.values[slices.Index(c.names, name)])
			}
			cell, ok := cells[label]
			if !ok {
				cell.Measures = make([]int64, 2)
			}
			cell.Measures[0]++
			cell.Measures[1] += thing.cents
			if key := fmt.Sprint(label, thing.patient); !seen[key] {
				seen[key] = true
				cell.Patients++
			}
			cells[label] = cell
		}
		e.Cells[t.Name] = cells
	}
	return e
}

// count is the true number of things in a cell.
func (c *clinic) count(dimensions []int, cell string) int {
	n := 0
	for _, t := range c.things {
		if cellName(dimensions, t.values) == cell {
			n++
		}
	}
	return n
}

// read takes from released tables what anybody can see.
func (c *clinic) read(released *disclosure.Released) published {
	var out published
	for _, t := range c.group.Tables {
		table, _ := released.Table(t.Name)
		p := publishedTable{cells: map[string]publishedCell{}}
		for _, name := range t.Dimensions {
			p.dimensions = append(p.dimensions, slices.Index(c.names, name))
		}
		for _, row := range table.Rows {
			name := ""
			for _, v := range row.Label {
				name += v + "/"
			}
			p.cells[name] = publishedCell{count: float64(row.Values[0]), suppressed: row.Suppressed}
		}
		out.tables = append(out.tables, p)
	}
	return out
}

// sameLines tells the attacker which lines are the same on both days: those of a dimension whose totals are released.
func (c *clinic) sameLines(a *attacker, other *clinic) {
	for _, table := range a.days[0].tables {
		cells := a.cellsOf(table)
		var lines [][]string
		switch len(table.dimensions) {
		case 1:
			lines = [][]string{cells}
		case 2:
			for _, d := range table.dimensions {
				if !slices.ContainsFunc(a.days[0].tables, func(t publishedTable) bool { return slices.Equal(t.dimensions, []int{d}) }) {
					continue
				}
				for v := range c.shape[d] {
					line := map[string]bool{}
					for i := range a.joint() {
						if values := a.values(i); values[d] == v {
							line[cellName(table.dimensions, values)] = true
						}
					}
					var names []string
					for name := range line {
						names = append(names, name)
					}
					slices.Sort(names)
					lines = append(lines, names)
				}
			}
		}
		for _, line := range lines {
			if !slices.ContainsFunc(line, func(cell string) bool {
				return c.count(table.dimensions, cell) != other.count(table.dimensions, cell)
			}) {
				for _, cell := range line {
					a.same(table, cell)
				}
			}
		}
	}
}

// pinned are the suppressed cells that the attacker can tell to less than the threshold.
func (a *attacker) pinned(t testing.TB, truth ...*clinic) []string {
	t.Helper()
	var out []string
	targets := a.listen(func(day int, dimensions []int, cell string) bool { return truth[day].count(dimensions, cell) > 0 })
	for _, target := range targets {
		low, high, err := a.bounds(target)
		if err != nil {
			t.Fatal(err)
		}
		dimensions := a.days[target.day].tables[target.table].dimensions
		is := truth[target.day].count(dimensions, target.cell)
		if float64(is) < low-1e-6 || float64(is) > high+1e-6 {
			t.Fatalf("%v is %d, and the attacker believes it to be in [%g, %g]", target, is, low, high)
		}
		if high-low < disclosure.MinThreshold-1e-6 {
			out = append(out, fmt.Sprintf("%v is %d: in [%g, %g]", target, is, low, high))
		} else if a.derives(target) {
			out = append(out, fmt.Sprintf("%v, and its money, is a sum and difference of what is shown", target))
		}
	}
	return out
}

var day = civil.Date{Year: 2026, Month: 9, Day: 30}

func release(t testing.TB, c *clinic, asOf civil.Date, before *disclosure.Pattern) (*disclosure.Released, *disclosure.Pattern) {
	t.Helper()
	released, pattern, err := disclosure.Release(context.Background(), disclosure.Snapshot{
		AsOf: asOf, Groups: []disclosure.Group{c.group}, Exact: []disclosure.Exact{c.exact()},
	}, before, disclosure.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return released, pattern
}

func clinics(short, long int) int {
	if os.Getenv("FALLOFF_LONG") != "" {
		return long
	}
	return short
}

func TestNoSuppressedCellIsToldByOneSnapshot(t *testing.T) {
	suppressed := 0
	for seed := range clinics(150, 5000) {
		c := randomClinic(rand.New(rand.NewPCG(1, uint64(seed))))
		released, _ := release(t, c, day, nil)
		a := &attacker{shape: c.shape, days: []published{c.read(released)}}
		if pinned := a.pinned(t, c); len(pinned) > 0 {
			t.Fatalf("clinic %d: %d cells are told, such as %s", seed, len(pinned), pinned[0])
		}
		for _, table := range released.Tables() {
			suppressed += table.Withheld
		}
	}
	if suppressed == 0 {
		t.Fatal("nothing was suppressed: the test shows nothing")
	}
	t.Logf("%d cells were suppressed", suppressed)
}

func TestNoSuppressedCellIsToldByTwoSnapshots(t *testing.T) {
	held, suppressed := 0, 0
	for seed := range clinics(100, 3000) {
		chance := rand.New(rand.NewPCG(2, uint64(seed)))
		c := randomClinic(chance)
		first, pattern := release(t, c, day, nil)
		next := c.next(chance)
		second, _ := release(t, next, day.AddDays(1), pattern)
		a := &attacker{shape: c.shape, days: []published{c.read(first), c.read(second)}}
		truth := next
		if table, _ := second.Table(c.group.Tables[0].Name); table.AsOf == day {
			held++
			truth = c // what was released of the second day is the first's
		}
		truth.sameLines(a, c)
		if pinned := a.pinned(t, c, truth); len(pinned) > 0 {
			t.Fatalf("clinic %d: %d cells are told, such as %s", seed, len(pinned), pinned[0])
		}
		for _, table := range second.Tables() {
			suppressed += table.Withheld
		}
	}
	if suppressed == 0 {
		t.Fatal("nothing was suppressed: the test shows nothing")
	}
	t.Logf("%d cells were suppressed, %d clinics were held back", suppressed, held)
}

// smallCellsOnly is what a careless suppressor releases: cells of few patients are left out, and nothing else.
func smallCellsOnly(c *clinic) published {
	var out published
	exact := c.exact()
	for _, t := range c.group.Tables {
		p := publishedTable{cells: map[string]publishedCell{}}
		for _, name := range t.Dimensions {
			p.dimensions = append(p.dimensions, slices.Index(c.names, name))
		}
		for label, cell := range exact.Cells[t.Name] {
			name := ""
			for i := range t.Dimensions {
				name += label[i] + "/"
			}
			p.cells[name] = publishedCell{
				count: float64(cell.Measures[0]), suppressed: cell.Patients > 0 && cell.Patients < disclosure.MinThreshold,
			}
		}
		out.tables = append(out.tables, p)
	}
	return out
}

func TestTheAttackerBreaksSuppressionOfSmallCellsAlone(t *testing.T) {
	broken := 0
	for seed := range 20 {
		c := randomClinic(rand.New(rand.NewPCG(1, uint64(seed))))
		a := &attacker{shape: c.shape, days: []published{smallCellsOnly(c)}}
		if len(a.pinned(t, c)) > 0 {
			broken++
		}
	}
	if broken < 10 {
		t.Errorf("the attacker told a cell of %d clinics of 20: it is too weak to prove anything", broken)
	}
}

func TestTheAttackerBreaksASuppressorThatForgets(t *testing.T) {
	broken := 0
	for seed := range 60 {
		chance := rand.New(rand.NewPCG(2, uint64(seed)))
		c := randomClinic(chance)
		first, _ := release(t, c, day, nil)
		next := c.next(chance)
		second, _ := release(t, next, day.AddDays(1), nil)
		a := &attacker{shape: c.shape, days: []published{c.read(first), c.read(second)}}
		next.sameLines(a, c)
		if len(a.pinned(t, c, next)) > 0 {
			broken++
		}
	}
	if broken < 3 {
		t.Errorf("the attacker told a cell of %d clinics of 60: it is too weak to prove anything", broken)
	}
	t.Logf("%d clinics of 60 were told", broken)
}
