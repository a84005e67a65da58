package unittest

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/given"
)

// Difference is an expectation that was not met.
type Difference struct {
	// Expected is what the test names: a model, or one of its named queries after a `#`.
	Expected string   `json:"expected"`
	Columns  []string `json:"columns"`
	// Same are rows that were expected and are there, Missing those that are not there, Surplus those that nobody expected.
	Same    [][]string `json:"same"`
	Missing [][]string `json:"missing"`
	Surplus [][]string `json:"surplus"`
}

// parts takes apart what a test names: a model, one of its named queries after a `#`, and the rows that are meant after a `where`.
func parts(expected string) (model, query, condition string) {
	expected, condition, isPart := strings.Cut(expected, " where ")
	if !isPart {
		condition = "true"
	}
	model, query, _ = strings.Cut(expected, "#")
	return model, query, condition
}

// compare compares the columns that the expectation names, rows in any order; nil where they are the same.
func compare(ctx context.Context, w *models.Workspace, name, expectation string) (*Difference, error) {
	table, query, condition := parts(name)
	var err error
	if query != "" {
		if table, err = w.NamedQuery(ctx, table, query); err != nil {
			return nil, err
		}
	}
	columns, want, err := given.Table(expectation)
	if err != nil {
		return nil, err
	}
	have, err := w.Columns(ctx, table)
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		if strings.TrimSpace(expectation) != "none" {
			return nil, fmt.Errorf("the table is empty: write `none` where no row is expected")
		}
		for _, c := range have {
			columns = append(columns, c.Name)
		}
	}
	got, err := rowsOf(ctx, w, table, condition, columns, have)
	if err != nil {
		return nil, err
	}
	d := &Difference{Expected: name, Columns: columns, Surplus: got}
	for _, row := range want {
		at := slices.IndexFunc(d.Surplus, func(other []string) bool { return slices.EqualFunc(row, other, sameCell) })
		if at < 0 {
			d.Missing = append(d.Missing, row)
			continue
		}
		d.Same = append(d.Same, row)
		d.Surplus = slices.Delete(d.Surplus, at, at+1)
	}
	if len(d.Missing)+len(d.Surplus) == 0 {
		return nil, nil //nolint:nilnil // no difference
	}
	return d, nil
}

// rowsOf reads some columns of a table as text, `-` for null. Money may be written in units, as people read it.
func rowsOf(ctx context.Context, w *models.Workspace, table, condition string, columns []string, have []models.Column) ([][]string, error) {
	has := func(name string) bool {
		return slices.ContainsFunc(have, func(c models.Column) bool { return c.Name == name })
	}
	selected := make([]string, len(columns))
	for i, name := range columns {
		switch {
		case has(name):
			selected[i] = fmt.Sprintf("coalesce(%s::varchar, '-')", name)
		case has(name + "_cents"):
			selected[i] = fmt.Sprintf("coalesce((%s_cents / 100)::decimal(18,2)::varchar, '-')", name)
		default:
			var names []string
			for _, c := range have {
				names = append(names, c.Name)
			}
			return nil, fmt.Errorf("there is no column %s: there are %s", name, strings.Join(names, ", "))
		}
	}
	rows, err := w.Query(ctx, fmt.Sprintf("select [%s] as cells from %s where %s order by cells", strings.Join(selected, ", "), table, condition))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var got [][]string
	for rows.Next() {
		var cells []any
		if err := rows.Scan(&cells); err != nil {
			return nil, err
		}
		row := make([]string, len(cells))
		for i, cell := range cells {
			row[i] = fmt.Sprint(cell)
		}
		got = append(got, row)
	}
	return got, rows.Err()
}

// sameCell compares numbers with a fraction to 1e-9, everything else as text.
func sameCell(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && strings.ContainsAny(a+b, ".e") &&
		math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y))
}

// Print writes a failed test as a small table: `-` before what was expected and is not there, `+` before what is there instead.
func (r Result) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "FAILED %s\n", r.title())
	if r.Problem != "" {
		fmt.Fprintf(&b, "  %s\n", r.Problem)
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "  %s\n", d.Expected)
		marks := []string{" "}
		table := [][]string{d.Columns}
		for _, part := range []struct {
			mark string
			rows [][]string
		}{{" ", d.Same}, {"-", d.Missing}, {"+", d.Surplus}} {
			for _, row := range part.rows {
				marks, table = append(marks, part.mark), append(table, row)
			}
		}
		for i, line := range align(table) {
			fmt.Fprintln(&b, strings.TrimRight("    "+marks[i]+" "+line, " "))
		}
	}
	if r.Why != "" {
		fmt.Fprintf(&b, "  why: %s\n", strings.TrimSpace(r.Why))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// align writes rows with bars between their cells, columns under each other.
func align(table [][]string) []string {
	var widths []int
	for _, row := range table {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(table))
	for i, row := range table {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = cell + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
		}
		lines[i] = strings.TrimRight(strings.Join(cells, " | "), " ")
	}
	return lines
}
