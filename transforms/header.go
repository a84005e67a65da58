package transforms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// layout is a dataset with the headers by which a file of it is recognised.
type layout struct {
	contract.Dataset
	// column finds the contract's column of a folded header.
	column map[string]int
	// telling are the required columns whose usual header no other report has: without any of them a row is no header of this
	// report, however much of the rest it has. Reports about money and patients have most of their headers in common.
	telling map[int]bool
}

// firstNameColumn is not the contract's: the cell is read only where the clinic has chosen to show names.
const (
	firstNameColumn = "first_name"
	firstNameHeader = "patient_first_name"
)

// taxColumn may be filled from several headers at once: a clinic can have two taxes.
const taxColumn = "tax_cents"

// layouts prepares every dataset that a report holds. The tax column of a sales report is called after the clinic's tax.
func layouts(taxName string) []layout {
	var out []layout
	for _, d := range contract.Datasets() {
		if d.Report == "" {
			continue
		}
		l := layout{d, map[string]int{}, map[int]bool{}}
		for i, c := range d.Columns {
			for _, h := range c.Headers {
				l.column[fold(h)] = i
			}
		}
		if tax := slices.IndexFunc(d.Columns, func(c contract.Column) bool { return c.Name == taxColumn }); tax >= 0 && taxName != "" {
			if _, taken := l.column[fold(taxName)]; !taken {
				l.column[fold(taxName)] = tax
			}
		}
		out = append(out, l)
	}
	for i, l := range out {
		for at, c := range l.Columns {
			shared := slices.ContainsFunc(slices.Delete(slices.Clone(out), i, i+1), func(other layout) bool {
				return len(c.Headers) > 0 && has(other.column, fold(c.Headers[0]))
			})
			if c.Required && !shared {
				l.telling[at] = true
			}
		}
	}
	return out
}

func has(columns map[string]int, header string) bool {
	_, ok := columns[header]
	return ok
}

// missing lists the required headers that a row of cells lacks, how many of the known ones it has, and whether one of them
// tells the report from all others.
func (l layout) missing(cells []string) (lacking []string, known int, told bool) {
	have := map[int]bool{}
	for _, c := range cells {
		if i, ok := l.column[fold(c)]; ok {
			have[i] = true
			told = told || l.telling[i]
		}
	}
	for i, c := range l.Columns {
		if c.Required && !have[i] {
			lacking = append(lacking, c.Headers[0])
		}
	}
	return lacking, len(have), told
}

// headerFinder looks for the first row that is, or nearly is, the header of a report.
type headerFinder struct {
	layouts []layout
	// identities says that first names are read.
	identities bool
	found      int
	lacking    []string
}

// minShare is the part of a report's required headers that a row must have to be taken for its header, so that a file
// with a header missing is told which, and a file of something else is told that it is none.
const minShare = 0.5

func (f *headerFinder) isHeader(cells []string) bool {
	best := -1.0
	for i, l := range f.layouts {
		lacking, known, told := l.missing(cells)
		required := len(l.Required())
		share := float64(required-len(lacking)) / float64(required)
		// Known optional headers decide between two layouts of equal share.
		if rank := share + float64(known)/1000; told && share >= minShare && known >= min(3, required) && rank > best {
			best, f.found, f.lacking = rank, i, lacking
		}
	}
	return best >= 0
}

// columns says where a table's kept cells go.
type columns struct {
	// kept are the table's columns that are read.
	kept []int
	// at is the position in kept of a contract column, by its name.
	at map[string]int
	// names are the headers of kept, in the contract's spelling.
	names []string
	// tax are the positions in kept of the tax columns.
	tax []int
	// forbidden and dropped are the table's columns that are stepped over.
	forbidden, dropped []int
}

// choose checks the header that was found, and says what to read.
func (f *headerFinder) choose(table *tabular.Table, asked string) (layout, columns, error) {
	l := f.layouts[f.found]
	problem := &HeaderError{File: table.Name, Row: table.HeaderRow, Dataset: l.Name, Report: l.Report, Missing: f.lacking}
	if asked != "" && asked != l.Name && len(f.lacking) == 0 {
		return l, columns{}, &tabular.Error{File: table.Name, Row: table.HeaderRow,
			Problem: fmt.Sprintf("the file holds %s where %s were asked for", l.Name, asked), Hint: "Export the right report"}
	}
	c := columns{at: map[string]int{}}
	first := map[string]int{}
	for i, header := range table.Header {
		at, ok := l.column[fold(header)]
		if !ok {
			c.dropped = append(c.dropped, i)
			continue
		}
		column := l.Columns[at]
		id := strconv.Itoa(at)
		if column.Name == taxColumn {
			id = fold(header)
		}
		if before, doubled := first[id]; doubled {
			problem.Doubled = append(problem.Doubled, fmt.Sprintf("`%s` in columns %s and %s", column.Headers[0], columnLetters(before), columnLetters(i)))
			continue
		}
		first[id] = i
		switch {
		case f.identities && l.Name == contract.Appointments && fold(column.Headers[0]) == fold(firstNameHeader):
			c.at[firstNameColumn] = len(c.kept)
		case column.Sensitivity == contract.Forbidden:
			c.forbidden = append(c.forbidden, i)
			continue
		case column.Name == taxColumn:
			c.tax = append(c.tax, len(c.kept))
		default:
			c.at[column.Name] = len(c.kept)
		}
		c.kept = append(c.kept, i)
		c.names = append(c.names, column.Headers[0])
	}
	if len(problem.Missing) > 0 || len(problem.Doubled) > 0 {
		return l, c, problem
	}
	return l, c, nil
}

// columnLetters names a column as a spreadsheet does: A, B, … Z, AA.
func columnLetters(i int) string {
	letters := ""
	for i++; i > 0; i = (i - 1) / 26 {
		letters = string(rune('A'+(i-1)%26)) + letters
	}
	return letters
}

// HeaderError says that a file is a report whose header has changed: a column is missing or there twice. Nothing of
// such a file is read.
type HeaderError struct {
	File    string
	Row     int
	Dataset string
	Report  string
	// Missing are the headers that are required and not there.
	Missing []string
	// Doubled are the headers that are there twice, and where.
	Doubled []string
}

// Error names the columns.
func (e *HeaderError) Error() string {
	var problems []string
	if len(e.Missing) > 0 {
		problems = append(problems, "lacks "+backquoted(e.Missing))
	}
	if len(e.Doubled) > 0 {
		problems = append(problems, "has twice "+strings.Join(e.Doubled, ", "))
	}
	return fmt.Sprintf("%s, row %d: the header of this %s report %s. Export the report again with its own columns; docs/import.md lists them",
		e.File, e.Row, e.Report, strings.Join(problems, " and "))
}

func backquoted(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
