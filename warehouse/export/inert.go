package export

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Inert is a text in which no spreadsheet finds a formula: an apostrophe stands before whatever could begin one, at the start
// of the text and behind what a spreadsheet of another country parts cells at (it reads a CSV with semicolons, and then our
// commas and quotes mean nothing to it). What cannot be seen does not hide a beginning. Apostrophes that stand there already
// get one more, so that Active gives back the very same text.
func Inert(text string) string {
	out, _ := walk(text, func(apostrophes int) (int, error) { return apostrophes + 1, nil })
	return out
}

var errNotInert = errors.New("it begins a formula, which an export would have written with an apostrophe before it")

// Active is the inverse of Inert, and refuses what Inert never writes.
func Active(cell string) (string, error) {
	return walk(cell, func(apostrophes int) (int, error) {
		if apostrophes == 0 {
			return 0, errNotInert
		}
		return apostrophes - 1, nil
	})
}

// walk copies a text, and asks at each place where a formula could begin how many apostrophes are to stand before it.
func walk(text string, change func(apostrophes int) (int, error)) (string, error) {
	var out strings.Builder
	beginning := true
	for rest := text; rest != ""; {
		if beginning {
			bare := strings.TrimLeft(rest, "'")
			apostrophes := len(rest) - len(bare)
			r, size := utf8.DecodeRuneInString(bare)
			switch {
			case bare != "" && beginsFormula(r):
				n, err := change(apostrophes)
				if err != nil {
					return "", err
				}
				out.WriteString(strings.Repeat("'", n) + bare[:size])
				rest, beginning = bare[size:], parts(r)
				continue
			case apostrophes > 0:
				out.WriteString(rest[:apostrophes])
				rest, beginning = bare, false
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(rest)
		out.WriteString(rest[:size])
		rest = rest[size:]
		beginning = parts(r) || beginning && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r))
	}
	return out.String(), nil
}

// parts says whether some spreadsheet begins another cell behind this.
func parts(r rune) bool { return r == ';' || r == '\t' || r == '\n' || r == '\r' || r == '|' }

// beginsFormula reports whether a spreadsheet may take a cell that begins so for a formula: the signs, in the full width of East
// Asian keyboards too, and the two blanks that some take off first.
func beginsFormula(r rune) bool { return strings.ContainsRune("=+-@\t\r＝＋－＠﹦﹢﹣﹫", r) }

// cell is a text, or none, as it stands in a CSV file. What a text that is empty, or all apostrophes, has one apostrophe more
// than the text keeps apart from none.
func cell(text string, null, nullable bool) string {
	switch {
	case null:
		return ""
	case text == "" && !nullable:
		return ""
	case strings.Trim(text, "'") == "":
		return text + "'"
	}
	return Inert(text)
}

// text is the inverse of cell.
func text(cell string, nullable bool) (text string, null bool, err error) {
	switch {
	case cell == "":
		return "", nullable, nil
	case cell == "'" && !nullable:
		return "", false, errors.New("a text that is empty is written as an empty cell here")
	case strings.Trim(cell, "'") == "":
		return cell[1:], false, nil
	}
	text, err = Active(cell)
	return text, false, err
}
