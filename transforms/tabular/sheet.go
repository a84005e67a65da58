package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxColumns is Excel's own limit; a reference beyond it is nonsense that must not make us allocate.
const maxColumns = 16384

// sheetGrid reads the rows of one worksheet.
type sheetGrid struct {
	name   string
	xml    *xmlScanner
	shared sharedStrings
	limit  int
	number int
	inRows bool
	// arena holds the current row's texts.
	arena []byte
	spans []span
	// size is what the sheet says that it unpacks to; nobody relies on it.
	size int64
	// slow leaves every cell to the tokens: tests hold the short way against it.
	slow bool
}

// span is where a kept cell's text lies in the arena; the arena moves while it grows.
type span struct{ column, from, to int }

func (g *sheetGrid) left() int {
	return len(g.xml.rest) + int(max(0, min(g.size, 1<<40)-g.xml.taken))
}

func (g *sheetGrid) next(r *row) error {
	for {
		kind, _, err := g.xml.next()
		if err != nil {
			return g.damaged(err)
		}
		switch {
		case kind == endOfPart && !g.inRows:
			return &Error{File: g.name, Problem: "the XLSX file's sheet has no rows", Hint: "Export the report again"}
		case kind == endOfPart, kind == endTag && string(g.xml.name) == "sheetData":
			return g.end()
		case kind != startTag:
		case string(g.xml.name) == "sheetData":
			g.inRows = true
			if g.xml.closed {
				return g.end()
			}
		case string(g.xml.name) == "row" && g.inRows:
			return g.readRow(r)
		default:
			if g.inRows {
				err = g.xml.skip()
			}
			if err != nil {
				return g.damaged(err)
			}
		}
	}
}

// end is io.EOF, once what is behind the rows is found to be whole.
func (g *sheetGrid) end() error {
	if err := g.xml.drain(); err != nil {
		return g.damaged(err)
	}
	return io.EOF
}

func (g *sheetGrid) damaged(err error) error {
	if file, ok := errors.AsType[*Error](err); ok {
		return file
	}
	problem := "the XLSX file is damaged behind this row"
	if errors.Is(err, errDeep) || errors.Is(err, errLong) {
		problem += ": " + err.Error()
	}
	return &Error{File: g.name, Row: g.number, Problem: problem, Broken: true,
		Hint: "Export it again, and wait until the download has ended", Err: err}
}

func (g *sheetGrid) readRow(r *row) error {
	g.number++
	if raw, ok := g.xml.attr("r"); ok {
		n, err := strconv.Atoi(string(raw))
		if err != nil || n < g.number {
			return g.damaged(errXML)
		}
		g.number = n
	}
	r.reset(g.number)
	g.arena, g.spans = g.arena[:0], g.spans[:0]
	column := -1
	for {
		kind, _, err := g.xml.next()
		if err != nil {
			return g.damaged(err)
		}
		if kind == endTag {
			break
		}
		if kind != startTag {
			continue
		}
		if string(g.xml.name) != "c" {
			if err := g.xml.skip(); err != nil {
				return g.damaged(err)
			}
			continue
		}
		column++
		if raw, ok := g.xml.attr("r"); ok {
			at, ok := columnOf(raw)
			if !ok || at < column {
				return g.damaged(errXML)
			}
			column = at
		}
		if column >= maxColumns || len(g.arena) > g.limit {
			return &Error{File: g.name, Row: g.number, Problem: fmt.Sprintf("the row is longer than %d bytes or %d cells", g.limit, maxColumns),
				Hint: "This is no report: export it again"}
		}
		if err := g.readCell(r, column); err != nil {
			return g.damaged(err)
		}
	}
	for _, s := range g.spans {
		r.cells[s.column].Text = g.arena[s.from:s.to:s.to]
	}
	return nil
}

// readCell reads the current c element into the row.
func (g *sheetGrid) readCell(r *row, column int) error {
	for r.width < column {
		r.add(Cell{}, false)
	}
	var err error
	cellType := cellTypeOf(g.xml)
	keep := r.wants(column)
	from := len(g.arena)
	var filled bool
	var cell Cell
	if plain := !g.slow && !g.xml.closed && len(g.xml.open[len(g.xml.open)-1]) == 1; plain {
		content, inline, ok := g.xml.plainCell()
		switch {
		case ok && inline:
			filled, err = g.inline(content, keep)
		case ok:
			filled, err = g.content(&cell, cellType, content, keep)
		}
		if ok {
			if keep {
				g.spans = append(g.spans, span{column, from, len(g.arena)})
			}
			r.add(cell, filled)
			return err
		}
	}
	for {
		kind, _, err := g.xml.next()
		if err != nil {
			return err
		}
		if kind == endTag {
			break
		}
		if kind != startTag {
			continue
		}
		switch string(g.xml.name) {
		case "v":
			value, err := g.value()
			if err != nil {
				return err
			}
			if filled, err = g.content(&cell, cellType, value, keep); err != nil {
				return err
			}
		case "is":
			before := len(g.arena)
			if g.arena, err = appendRich(g.arena, g.xml); err != nil {
				return err
			}
			filled = hasText(g.arena[before:])
			if !keep {
				clear(g.arena[before:])
				g.arena = g.arena[:before]
			}
		default: // a formula; the value behind it is what it gave
			if err := g.xml.skip(); err != nil {
				return err
			}
		}
	}
	if keep {
		g.spans = append(g.spans, span{column, from, len(g.arena)})
	}
	r.add(cell, filled)
	return nil
}

// cellTypeOf is the type of the current c element, which is n where it does not say.
func cellTypeOf(x *xmlScanner) string {
	raw, ok := x.attr("t")
	if !ok {
		return numberCell
	}
	switch string(raw) { // the usual ones without making a string
	case "", numberCell:
		return numberCell
	case sharedCell:
		return sharedCell
	case "str":
		return "str"
	case "inlineStr":
		return "inlineStr"
	}
	return string(raw)
}

// The types of cells that are not taken as they are.
const (
	numberCell = "n"
	sharedCell = "s"
	boolCell   = "b"
)

// content takes what a v element holds into the arena, and reports whether that is anything.
func (g *sheetGrid) content(cell *Cell, cellType string, value []byte, keep bool) (filled bool, err error) {
	if cellType == sharedCell {
		i, ok := index(value)
		if ok {
			value, ok = g.shared.at(i)
		}
		if !ok {
			return false, errXML
		}
	}
	filled = hasText(value)
	if !keep {
		return filled, nil
	}
	cell.Number = cellType == numberCell
	switch cellType {
	case boolCell:
		value = boolText(value)
	case sharedCell:
		g.arena = append(g.arena, value...)
		return filled, nil
	}
	g.arena, err = appendText(g.arena, value)
	return filled, err
}

// inline takes an inline text without runs into the arena, and reports whether it is anything.
func (g *sheetGrid) inline(content []byte, keep bool) (filled bool, err error) {
	before := len(g.arena)
	if !keep && bytes.IndexByte(content, '&') < 0 && bytes.IndexByte(content, '_') < 0 {
		return hasText(content), nil
	}
	if g.arena, err = appendText(g.arena, content); err != nil {
		return false, err
	}
	g.arena = g.arena[:before+len(resolveEscapes(g.arena[before:]))]
	filled = hasText(g.arena[before:])
	if !keep {
		clear(g.arena[before:])
		g.arena = g.arena[:before]
	}
	return filled, nil
}

// index reads the number of a shared text.
func index(value []byte) (int, bool) {
	value = bytes.TrimSpace(value)
	if len(value) == 0 || len(value) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// value is the raw text of the current v element.
func (g *sheetGrid) value() ([]byte, error) {
	var raw []byte
	for {
		kind, piece, err := g.xml.next()
		if err != nil {
			return nil, err
		}
		switch kind {
		case endTag:
			return raw, nil
		case text:
			if raw != nil {
				return nil, errXML // a comment in the middle of a number; no program writes that
			}
			raw = piece
		default:
			return nil, errXML
		}
	}
}

func boolText(value []byte) []byte {
	switch string(value) {
	case "1":
		return []byte("true")
	case "0":
		return []byte("false")
	}
	return value
}

// columnOf reads the letters of a reference such as AB12; A is 0.
func columnOf(reference []byte) (int, bool) {
	column := 0
	for i, c := range reference {
		switch {
		case c >= 'A' && c <= 'Z' && i < 3:
			column = column*26 + int(c-'A') + 1
		case c >= '0' && c <= '9' && i > 0:
			return column - 1, true
		default:
			return 0, false
		}
	}
	return 0, false
}
