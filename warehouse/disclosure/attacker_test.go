package disclosure_test

// An attacker: somebody who has every released table of one snapshot or of two, and works out by linear programming what
// the suppressed cells can be. It knows nothing of how cells are chosen, and uses no code of the package: only what is
// released, and which lines of the clinic did not change.

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// published is what is released of one snapshot: for each table by dimensions (indices into the clinic's), the cells.
type published struct {
	tables []publishedTable
}

type publishedTable struct {
	dimensions []int
	cells      map[string]publishedCell // by the values, joined
}

type publishedCell struct {
	count      float64
	suppressed bool
}

// target is a suppressed cell.
type target struct {
	day, table int
	cell       string
}

func (t target) String() string {
	return fmt.Sprintf("day %d, table %d, cell %s", t.day, t.table, t.cell)
}

// attacker holds the linear system: a variable for each cell of the crossing of all dimensions, on each day.
type attacker struct {
	shape []int
	days  []published
	rows  [][]float64 // equalities over the variables
	sides []float64
	// least are inequalities: sums that are at least one.
	least [][]float64

	matrix *mat.Dense
	right  []float64
}

func (a *attacker) joint() int {
	n := 1
	for _, d := range a.shape {
		n *= d
	}
	return n
}

// values are those of variable i in each dimension.
func (a *attacker) values(i int) []int {
	out := make([]int, len(a.shape))
	for d := len(a.shape) - 1; d >= 0; d-- {
		out[d] = i % a.shape[d]
		i /= a.shape[d]
	}
	return out
}

func cellName(dimensions []int, values []int) string {
	name := ""
	for _, d := range dimensions {
		name += fmt.Sprintf("%d/", values[d])
	}
	return name
}

// sum is the row of coefficients of one cell.
func (a *attacker) sum(day int, table publishedTable, cell string) []float64 {
	row := make([]float64, a.joint()*len(a.days))
	for i := range a.joint() {
		if cellName(table.dimensions, a.values(i)) == cell {
			row[day*a.joint()+i] = 1
		}
	}
	return row
}

// listen writes down everything that is shown. A cell that is suppressed is of somebody, since zeros are shown, unless it
// stands in a line that is suppressed whole. Where that is not so after all, the attacker is told, and does not assume it.
func (a *attacker) listen(isSomebody func(day int, dimensions []int, cell string) bool) []target {
	var targets []target
	for day, shown := range a.days {
		for at, table := range shown.tables {
			for _, cell := range a.cellsOf(table) {
				c := table.cells[cell]
				if !c.suppressed {
					a.rows, a.sides = append(a.rows, a.sum(day, table, cell)), append(a.sides, c.count)
					continue
				}
				targets = append(targets, target{day: day, table: at, cell: cell})
				if !a.inWholeLine(shown, table, cell) && isSomebody(day, table.dimensions, cell) {
					a.least = append(a.least, a.sum(day, table, cell))
				}
			}
		}
	}
	return targets
}

func (a *attacker) cellsOf(table publishedTable) []string {
	var names []string
	for i := range a.joint() {
		names = append(names, cellName(table.dimensions, a.values(i)))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// inWholeLine says whether the total of a line that the cell is in is suppressed, or all of the line.
func (a *attacker) inWholeLine(shown published, table publishedTable, cell string) bool {
	if len(table.dimensions) == 0 {
		return true
	}
	var at []int
	for i := range a.joint() {
		if v := a.values(i); cellName(table.dimensions, v) == cell {
			at = v
		}
	}
	for _, d := range table.dimensions {
		whole := true
		for i := range a.joint() {
			if v := a.values(i); len(table.dimensions) == 1 || v[d] == at[d] {
				whole = whole && table.cells[cellName(table.dimensions, v)].suppressed
			}
		}
		if whole {
			return true
		}
		for _, margin := range shown.tables {
			if len(table.dimensions) == 2 && slices.Equal(margin.dimensions, []int{d}) && margin.cells[cellName([]int{d}, at)].suppressed {
				return true
			}
		}
	}
	return false
}

// same notes that a cell of a table is the same number on both days.
func (a *attacker) same(table publishedTable, cell string) {
	one, two := a.sum(0, table, cell), a.sum(1, table, cell)
	for i := range one {
		one[i] -= two[i]
	}
	a.rows, a.sides = append(a.rows, one), append(a.sides, 0)
}

// reduce brings equalities, each with its side last, into a form without rows that follow from others, and says how many
// are left.
func reduce(rows [][]float64) int {
	rank := 0
	if len(rows) == 0 {
		return 0
	}
	for column := 0; column < len(rows[0])-1 && rank < len(rows); column++ {
		pivot := -1
		for i := rank; i < len(rows); i++ {
			if math.Abs(rows[i][column]) > 1e-9 && (pivot < 0 || math.Abs(rows[i][column]) > math.Abs(rows[pivot][column])) {
				pivot = i
			}
		}
		if pivot < 0 {
			continue
		}
		rows[rank], rows[pivot] = rows[pivot], rows[rank]
		scale := rows[rank][column]
		for j := range rows[rank] {
			rows[rank][j] /= scale
		}
		for i := range rows {
			if by := rows[i][column]; i != rank && by != 0 {
				for j := range rows[i] {
					rows[i][j] -= by * rows[rank][j]
				}
			}
		}
		rank++
	}
	return rank
}

// solvable makes the system that a solver takes: it fails on rows that follow from others.
func (a *attacker) solvable() {
	variables := a.joint() * len(a.days)
	width := variables + len(a.least)
	var rows [][]float64
	for i, row := range a.rows {
		full := make([]float64, width+1)
		copy(full, row)
		full[width] = a.sides[i]
		rows = append(rows, full)
	}
	for i, row := range a.least { // sum − slack = 1
		full := make([]float64, width+1)
		copy(full, row)
		full[variables+i] = -1
		full[width] = 1
		rows = append(rows, full)
	}
	rank := reduce(rows)
	a.matrix, a.right = mat.NewDense(max(rank, 1), width, nil), make([]float64, max(rank, 1))
	for i := range rank {
		a.matrix.SetRow(i, rows[i][:width])
		a.right[i] = rows[i][width]
	}
}

// derives says whether a cell is a sum and difference of what is shown: whatever is added up in it, money too, is told
// then.
func (a *attacker) derives(t target) bool {
	var rows [][]float64
	for _, row := range a.rows {
		rows = append(rows, append(slices.Clone(row), 0))
	}
	before := reduce(rows)
	rows = append(rows[:before], append(a.sum(t.day, a.days[t.day].tables[t.table], t.cell), 0))
	return reduce(rows) == before
}

// bounds are the least and the most that a suppressed cell can be.
func (a *attacker) bounds(t target) (low, high float64, err error) {
	if a.matrix == nil {
		a.solvable()
	}
	if len(a.rows) == 0 {
		return 0, math.Inf(1), nil // nothing is shown
	}
	_, width := a.matrix.Dims()
	objective := make([]float64, width)
	copy(objective, a.sum(t.day, a.days[t.day].tables[t.table], t.cell))
	low, _, err = lp.Simplex(objective, a.matrix, a.right, 1e-9, nil)
	if err != nil {
		return 0, 0, fmt.Errorf("the least of %v: %w", t, err)
	}
	for i := range objective {
		objective[i] = -objective[i]
	}
	high, _, err = lp.Simplex(objective, a.matrix, a.right, 1e-9, nil)
	if errors.Is(err, lp.ErrUnbounded) {
		return low, math.Inf(1), nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("the most of %v: %w", t, err)
	}
	return low, -high, nil
}
