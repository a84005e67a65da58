package tabular

import (
	"bytes"
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
}

// span is where a kept cell's text lies in the arena; the arena moves while it grows.
type span struct{ column, from, to int }

func (g *sheetGrid) left() int { return len(g.xml.rest) }

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
			return io.EOF
		case kind != startTag:
		case string(g.xml.name) == "sheetData":
			g.inRows = true
			if g.xml.closed {
				return io.EOF
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

func (g *sheetGrid) damaged(err error) error {
	return &Error{File: g.name, Row: g.number, Problem: "the XLSX file is damaged behind this row",
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
	kindOf, _ := g.xml.attr("t")
	cellType := string(kindOf)
	keep := r.wants(column)
	from := len(g.arena)
	var filled bool
	var cell Cell
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
			if cellType == "s" {
				i, err := strconv.Atoi(string(bytes.TrimSpace(value)))
				if err != nil {
					return errXML
				}
				var ok bool
				if value, ok = g.shared.at(i); !ok {
					return errXML
				}
			}
			filled = len(bytes.TrimSpace(value)) > 0
			if !keep {
				continue
			}
			cell.Number = cellType == "" || cellType == "n"
			if cellType == "b" {
				value = boolText(value)
			}
			if cellType == "s" {
				g.arena = append(g.arena, value...)
			} else if g.arena, err = appendText(g.arena, value); err != nil {
				return err
			}
		case "is":
			before := len(g.arena)
			if g.arena, err = appendRich(g.arena, g.xml); err != nil {
				return err
			}
			filled = len(bytes.TrimSpace(g.arena[before:])) > 0
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
