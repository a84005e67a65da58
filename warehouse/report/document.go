package report

import "html/template"

// document is a report as its structure: what is said, in which order, and no word of how it looks.
type document struct {
	Language string // BCP 47
	Title    string
	Clinic   string
	// Facts stand under the title: what the report is of, and of when.
	Facts    []fact
	Notices  []string
	Sections []section
	// Contents, Footer and the like are words of the page itself.
	Contents, Footer string
}

// fact is a name with its value.
type fact struct{ Name, Value string }

// section is one part of a report under a heading.
type section struct {
	ID, Title string
	Blocks    []any // paragraph, list, *table, *figure, panels, definitions
	// Small is set small: appendices.
	Small bool
}

func (s *section) say(texts ...string) {
	for _, text := range texts {
		if text != "" {
			s.Blocks = append(s.Blocks, paragraph{Text: text})
		}
	}
}

func (s *section) note(text string) {
	if text != "" {
		s.Blocks = append(s.Blocks, paragraph{Text: text, Note: true})
	}
}

// add takes tables and figures that there are.
func (s *section) addTable(t *table) {
	if t != nil && len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, t)
	}
}

// paragraph is running text; Note sets it smaller.
type paragraph struct {
	Text string
	Note bool
}

// list is sentences under one another.
type list struct{ Items []string }

// cell is one cell of a table. Shade, where it is not 0, is how dark its ground is, 1 to 5.
type cell struct {
	Text  string
	Shade int
}

// column is a column of a table.
type column struct {
	Title string
	// Figures are set flush right, in figures of one width.
	Figures bool
}

// table is a table with a caption and a heading to every column and row.
type table struct {
	ID, Caption string
	Columns     []column
	Rows        [][]cell
	// Sum is the last row, empty for none.
	Sum []cell
	// Wide tables have many narrow columns.
	Wide bool
}

func (t *table) row(texts ...string) {
	cells := make([]cell, len(texts))
	for i, text := range texts {
		cells[i] = cell{Text: text}
	}
	t.Rows = append(t.Rows, cells)
}

func (t *table) sum(texts ...string) {
	for _, text := range texts {
		t.Sum = append(t.Sum, cell{Text: text})
	}
}

// figure is a chart with its caption, what it shows in words, and where its numbers stand.
type figure struct {
	ID, Caption, Alt string
	SVG              template.HTML
	// Numbers is the id of the table that has them, See the words that lead there.
	Numbers, See string
}

// panels are small figures side by side.
type panels struct{ Figures []*figure }

// definitions are terms with what they mean.
type definitions struct{ Terms []fact }
