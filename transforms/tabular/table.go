// Package tabular reads an exported report, CSV or XLSX, into a header and rows of cells.
//
// The format is decided by the bytes, never by the file's name. A table is read front to back from memory; nothing is
// ever written to a disk, and the cells of columns that the caller does not keep are stepped over: they are counted but
// never become a string. Every way in which a file can be wrong ends in one *Error that names the file, the row where
// there is one, and what to do.
package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is how a file lays out its table.
type Format string

// The formats that are read.
const (
	CSV  Format = "CSV"
	XLSX Format = "XLSX"
)

// headerRows is how many rows are searched for the header. Exports put at most a title, a date range and blank rows
// before it.
const headerRows = 30

// Limits bounds what one file may make us hold.
type Limits struct {
	// UnzippedBytes is the most that all parts of an XLSX may unpack to; 0 means 1 GiB.
	UnzippedBytes int64
	// RowBytes is the longest row; 0 means 1 MiB. A file without line ends runs into it early.
	RowBytes int
}

func (l Limits) orDefault() Limits {
	if l.UnzippedBytes <= 0 {
		l.UnzippedBytes = 1 << 30
	}
	if l.RowBytes <= 0 {
		l.RowBytes = 1 << 20
	}
	return l
}

// Cell is one cell of the current row. Text is valid until the next row is read: copy what is kept.
type Cell struct {
	Text []byte
	// Number says that an XLSX stores the cell as a number; its Text then has the digits of a binary fraction
	// (0.30000000000000004), not those that a person saw.
	Number bool
}

// Blank reports whether the cell holds nothing but white space.
func (c Cell) Blank() bool { return len(bytes.TrimSpace(c.Text)) == 0 }

// grid is what a format offers: rows of cells, each told which columns are wanted.
type grid interface {
	// next reads one row into r, skipping the cells of columns that r.wants refuses; io.EOF after the last one.
	next(r *row) error
	// left is how many bytes of rows are not read yet.
	left() int
}

// row is one row of a grid.
type row struct {
	number int // as a spreadsheet counts, from 1
	width  int // cells present, skipped ones included
	cells  []Cell
	filled []bool // which cells hold something, skipped ones included
	want   []bool // nil: every column
}

func (r *row) wants(column int) bool {
	return r.want == nil || (column < len(r.want) && r.want[column])
}

func (r *row) reset(number int) {
	r.number, r.width = number, 0
	r.cells, r.filled = r.cells[:0], r.filled[:0]
}

// add appends the next cell; filled tells of a skipped cell whether it held something.
func (r *row) add(c Cell, filled bool) {
	r.width++
	r.cells = append(r.cells, c)
	r.filled = append(r.filled, filled)
}

func (r *row) blank() bool { return !slices.Contains(r.filled, true) }

// Table is one report, positioned behind its header.
type Table struct {
	Name   string
	Format Format
	// Encoding is how a CSV was encoded: UTF-8, UTF-16LE, UTF-16BE or Windows-1252. Cells are UTF-8 in any case.
	Encoding string
	// Date1904 says that an XLSX counts its days from 1904-01-01 instead of 1900.
	Date1904 bool
	// Preamble are the rows before the header.
	Preamble [][]string
	// Header are the column names, trailing blank ones cut off.
	Header []string
	// HeaderRow is the header's row number.
	HeaderRow int

	grid    grid
	row     row
	columns []int // kept columns: Cell(i) is the cell of Header[columns[i]]
	skipped []int // filled cells stepped over, by column
	rows    int
	size    int // bytes of rows behind the header
	err     error
}

// Open reads up to the header: the first of the first 30 rows that isHeader accepts. It gives an *Error that wraps
// ErrNoHeader where there is none.
func Open(name string, body []byte, isHeader func(cells []string) bool, limits Limits) (*Table, error) {
	t := &Table{Name: name}
	grid, err := t.open(body, limits.orDefault())
	if err != nil {
		return nil, err
	}
	t.grid = grid
	return t.toHeader(isHeader)
}

// toHeader reads up to the header.
func (t *Table) toHeader(isHeader func([]string) bool) (*Table, error) {
	for range headerRows {
		if err := t.grid.next(&t.row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		cells := make([]string, 0, t.row.width)
		for _, c := range t.row.cells {
			cells = append(cells, string(c.Text))
		}
		if !isHeader(cells) {
			t.Preamble = append(t.Preamble, cells)
			continue
		}
		if t.row.number == 1 && t.oldMac(cells) {
			return nil, t.carriageReturns()
		}
		for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
			cells = cells[:len(cells)-1]
		}
		t.Header, t.HeaderRow, t.size = cells, t.row.number, t.grid.left()
		t.skipped = make([]int, len(cells))
		t.Keep(nil)
		return t, nil
	}
	return nil, t.noHeader(isHeader)
}

// open decides the format.
func (t *Table) open(body []byte, limits Limits) (grid, error) {
	if err := unreadable(t.Name, body); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(body, zipMagic) {
		t.Format = XLSX
		book, err := openBook(t.Name, body, limits)
		if err != nil {
			return nil, err
		}
		t.Date1904 = book.date1904
		return book.sheet, nil
	}
	t.Format = CSV
	text, encoding, err := decode(t.Name, body)
	if err != nil {
		return nil, err
	}
	if err := noTable(t.Name, text); err != nil {
		return nil, err
	}
	t.Encoding = encoding
	return newCSV(t.Name, text, limits), nil
}

// ErrNoHeader is wrapped by the error of a file in which no row is a header that the caller accepts.
var ErrNoHeader = errors.New("no header row")

// noHeader looks whether the cells are parted by something else than commas before it gives up.
func (t *Table) noHeader(isHeader func([]string) bool) error {
	for _, cells := range t.Preamble {
		for _, separator := range []string{";", "\t", "|"} {
			if t.Format == CSV && isHeader(splitBare(strings.Join(cells, ","), separator)) {
				return &Error{File: t.Name, Problem: fmt.Sprintf("its cells are separated by %q instead of commas", separator),
					Hint: "Export it again and import the file as the portal gave it, without opening and saving it in a spreadsheet"}
			}
		}
	}
	if len(t.Preamble) > 0 && t.oldMac(t.Preamble[0]) {
		return t.carriageReturns()
	}
	return &Error{File: t.Name, Problem: fmt.Sprintf("none of its first %d rows is the header of a known report", headerRows),
		Hint: "Export one of the reports that docs/import.md lists, with its column names", Err: ErrNoHeader}
}

// oldMac tells a first row that is the whole file, because nothing ends a line but carriage returns.
func (t *Table) oldMac(cells []string) bool {
	return t.Format == CSV && t.grid.left() == 0 && slices.ContainsFunc(cells, func(c string) bool { return strings.Contains(c, "\r") })
}

func (t *Table) carriageReturns() error {
	return &Error{File: t.Name, Problem: "its lines end in a carriage return alone, as on very old Macs", Hint: saveAsUTF8}
}

// Keep says which columns of the header will be read; Cell(i) is then the cell of columns[i]. It is called once, before
// the first Next.
func (t *Table) Keep(columns []int) {
	t.columns = columns
	t.row.want = make([]bool, len(t.Header))
	for _, c := range columns {
		t.row.want[c] = true
	}
}

// Next reads the next row that is not blank. It gives false at the end and at an error, which Err tells.
func (t *Table) Next() bool {
	for t.err == nil {
		if err := t.grid.next(&t.row); err != nil {
			if !errors.Is(err, io.EOF) {
				t.err = err
			}
			return false
		}
		if t.row.blank() {
			continue
		}
		if t.err = t.ragged(); t.err != nil {
			return false
		}
		for i := range t.skipped {
			if i < t.row.width && t.row.filled[i] && !t.row.want[i] {
				t.skipped[i]++
			}
		}
		t.rows++
		return true
	}
	return false
}

// ragged refuses rows of another width than the header: a comma too many moves every cell behind it into the wrong
// column, and that may be one with a name in it.
func (t *Table) ragged() error {
	extra := t.row.width > len(t.Header) && slices.Contains(t.row.filled[len(t.Header):], true)
	short := t.Format == CSV && t.row.width < len(t.Header)
	if !extra && !short {
		return nil
	}
	return &Error{File: t.Name, Row: t.row.number,
		Problem: fmt.Sprintf("the row has %d cells, the header %d", t.row.width, len(t.Header)), Broken: true,
		Hint: "The file is cut off or was edited: export it again and import it as the portal gave it"}
}

// Row is the number of the current row, as a spreadsheet shows it: the first row of the file is 1.
func (t *Table) Row() int { return t.row.number }

// Rows is how many rows that are not blank were read so far.
func (t *Table) Rows() int { return t.rows }

// RowsLeft guesses from the rows read so far how many are left, never more than 100,000: room may be made for so many.
func (t *Table) RowsLeft() int {
	left := t.grid.left()
	if t.rows == 0 {
		return 0
	}
	return min(int(float64(left)/float64(max(t.size-left, 1))*float64(t.rows)*1.02)+16, 100_000)
}

// Cell is the cell of the i-th kept column, empty where the row ends before it.
func (t *Table) Cell(i int) Cell {
	c := t.columns[i]
	if c >= len(t.row.cells) {
		return Cell{}
	}
	return t.row.cells[c]
}

// Skipped counts the filled cells that were stepped over in the header's i-th column.
func (t *Table) Skipped(i int) int { return t.skipped[i] }

// Err is the error that ended the rows, nil at a clean end.
func (t *Table) Err() error { return t.err }
