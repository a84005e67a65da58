package tabular

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// csvGrid reads RFC 4180: comma, double quotes, CRLF or LF. It is ours and not encoding/csv because that one copies
// every record into a string, the cells that nobody may read included.
type csvGrid struct {
	name   string
	rest   []byte
	number int
	limit  int
	// unquoted is where cells with doubled quotes are put together.
	unquoted []byte
}

func newCSV(name string, body []byte, limits Limits) *csvGrid {
	return &csvGrid{name: name, rest: body, limit: limits.RowBytes}
}

func (g *csvGrid) left() int { return len(g.rest) }

func (g *csvGrid) next(r *row) error {
	if len(g.rest) == 0 {
		return io.EOF
	}
	g.number++
	g.unquoted = g.unquoted[:0]
	r.reset(g.number)
	start := g.rest
	for {
		if len(start)-len(g.rest) > g.limit {
			return g.tooLong()
		}
		keep := r.wants(r.width)
		var text []byte
		var filled bool
		var err error
		if len(g.rest) > 0 && g.rest[0] == '"' {
			text, filled, err = g.quotedCell(keep)
		} else {
			text, filled, err = g.bareCell(keep)
		}
		if err != nil {
			return err
		}
		r.add(Cell{Text: text}, filled)
		switch {
		case len(g.rest) == 0:
			return nil
		case g.rest[0] == ',':
			g.rest = g.rest[1:]
		default: // bareCell and quotedCell stop before a line end and nowhere else
			if g.rest[0] == '\r' {
				g.rest = g.rest[1:]
			}
			g.rest = g.rest[1:]
			return nil
		}
	}
}

// ends are the bytes at which the reading of a cell without quotes stops.
var ends = [256]bool{',': true, '\n': true, '"': true}

// bareCell takes a cell without quotes off the rest, up to the comma or line end behind it.
func (g *csvGrid) bareCell(keep bool) ([]byte, bool, error) {
	within := g.rest[:min(len(g.rest), g.limit+1)]
	end := 0
	for end < len(within) && !ends[within[end]] {
		end++
	}
	switch {
	case end > g.limit:
		return nil, false, g.tooLong()
	case end < len(g.rest) && g.rest[end] == '"':
		return nil, false, g.badQuote("a quotation mark stands inside a cell that does not start with one")
	}
	if end > 0 && g.rest[end-1] == '\r' && (end == len(g.rest) || g.rest[end] == '\n') {
		end--
	}
	cell := g.rest[:end]
	g.rest = g.rest[end:]
	if len(g.rest) == 1 && g.rest[0] == '\r' {
		g.rest = g.rest[1:]
	}
	filled := hasText(cell)
	if !keep {
		return nil, filled, nil
	}
	return cell, filled, nil
}

// hasText reports whether there is anything but white space.
func hasText(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	return cell[0] > ' ' && cell[0] < utf8.RuneSelf || len(bytes.TrimSpace(cell)) > 0
}

// quotedCell takes a cell in quotes off the rest.
func (g *csvGrid) quotedCell(keep bool) ([]byte, bool, error) {
	body := g.rest[1:]
	from, filled := len(g.unquoted), false
	doubled := false
	at := 0
	for {
		end := bytes.IndexByte(body[at:min(len(body), at+g.limit+1)], '"')
		if end < 0 || at > g.limit {
			if len(body)-at > g.limit || at > g.limit {
				return nil, false, g.tooLong()
			}
			return nil, false, g.badQuote("a quotation mark opens a cell and none closes it")
		}
		end += at
		filled = filled || hasText(body[at:end])
		if end+1 < len(body) && body[end+1] == '"' { // a doubled quote is one quote
			doubled, filled = true, true
			if keep {
				g.unquoted = append(g.unquoted, body[at:end+1]...)
			}
			at = end + 2
			continue
		}
		g.rest = body[end+1:]
		if !g.atCellEnd() {
			return nil, false, g.badQuote("text stands behind a cell's closing quotation mark")
		}
		switch {
		case !keep:
			return nil, filled, nil
		case !doubled:
			return body[:end], filled, nil
		}
		g.unquoted = append(g.unquoted, body[at:end]...)
		return g.unquoted[from:len(g.unquoted):len(g.unquoted)], filled, nil
	}
}

// atCellEnd reports whether a cell may end here, and steps over a carriage return at the very end.
func (g *csvGrid) atCellEnd() bool {
	switch {
	case len(g.rest) == 0 || g.rest[0] == ',' || g.rest[0] == '\n':
		return true
	case g.rest[0] == '\r' && len(g.rest) == 1:
		g.rest = g.rest[1:]
		return true
	}
	return g.rest[0] == '\r' && g.rest[1] == '\n'
}

func (g *csvGrid) badQuote(problem string) error {
	return &Error{File: g.name, Row: g.number, Problem: problem, Broken: true,
		Hint: "The file is cut off or was edited: export it again and import it as the portal gave it"}
}

func (g *csvGrid) tooLong() error {
	return &Error{File: g.name, Row: g.number, Problem: fmt.Sprintf("the row is longer than %d bytes", g.limit),
		Hint: "This is no report, or a damaged one: export it again as CSV or XLSX"}
}
