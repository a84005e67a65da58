package portal

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// A FileMutation is one way in which an exported file may turn out different from what a reader knows. Of Table and Body
// one is set: the first changes the report before it is written, in whichever format; the second the bytes of a CSV.
type FileMutation struct {
	// Name is unique within a report; Class is the kind of change.
	Name, Class string
	// Harmless says that the file says the same as before.
	Harmless bool
	Table    func(simclinic.Table) simclinic.Table
	Body     func([]byte) []byte
}

// FileMutations are the ways in which a report with these headers can differ, in an order that does not change.
func FileMutations(headers []string) []FileMutation {
	return slices.Concat(columnMutations(headers), swapMutations(headers), rowMutations(), layoutMutations(), spellingMutations())
}

// columnMutations change one column after the other.
func columnMutations(headers []string) []FileMutation {
	var out []FileMutation
	add := func(class, name string, harmless bool, change func(simclinic.Table) simclinic.Table) {
		out = append(out, FileMutation{Name: name, Class: class, Harmless: harmless, Table: change})
	}
	for i, header := range headers {
		add("renamed", header+" renamed", false, relabelled(i, header+" (new)"))
		add("translated", header+" translated", false, relabelled(i, "Spalte "+fmt.Sprint(i+1)))
		add("removed", header+" without a name", false, relabelled(i, ""))
		add("removed", header+" removed", false, func(t simclinic.Table) simclinic.Table { return reordered(t, slices.Delete(order(t), i, i+1)) })
		add("doubled", header+" twice", false, func(t simclinic.Table) simclinic.Table { return reordered(t, append(order(t), i)) })
		add("emptied", header+" left blank", false, func(t simclinic.Table) simclinic.Table {
			return celled(t, func(column int, c simclinic.Cell) simclinic.Cell {
				if column == i {
					return simclinic.Cell{}
				}
				return c
			})
		})
		add("reordered", header+" moved to the end", true, func(t simclinic.Table) simclinic.Table {
			return reordered(t, append(slices.Delete(order(t), i, i+1), i))
		})
		add("spelling", header+" in capitals", true, relabelled(i, strings.ToUpper(header)))
	}
	return out
}

// swapMutations give every two columns each other's name.
func swapMutations(headers []string) []FileMutation {
	var out []FileMutation
	for i := range headers {
		for j := i + 1; j < len(headers); j++ {
			out = append(out, FileMutation{Name: headers[i] + " and " + headers[j] + " swapped", Class: "swapped", Table: func(t simclinic.Table) simclinic.Table {
				t.Headers = slices.Clone(t.Headers)
				t.Headers[i], t.Headers[j] = t.Headers[j], t.Headers[i]
				return t
			}})
		}
	}
	return out
}

// rowMutations change the rows and what stands around them.
func rowMutations() []FileMutation {
	table := func(class, name string, harmless bool, change func(simclinic.Table) simclinic.Table) FileMutation {
		return FileMutation{Name: name, Class: class, Harmless: harmless, Table: change}
	}
	return []FileMutation{
		table("shifted", "headers one to the left", false, func(t simclinic.Table) simclinic.Table {
			t.Headers = append(slices.Clone(t.Headers[1:]), "")
			return t
		}),
		table("shifted", "headers one to the right", false, func(t simclinic.Table) simclinic.Table {
			t.Headers = append([]string{""}, t.Headers[:len(t.Headers)-1]...)
			return t
		}),
		table("shifted", "headers turned round by one", false, func(t simclinic.Table) simclinic.Table {
			t.Headers = append(slices.Clone(t.Headers[1:]), t.Headers[0])
			return t
		}),
		table("reordered", "columns the other way round", true, func(t simclinic.Table) simclinic.Table {
			turned := order(t)
			slices.Reverse(turned)
			return reordered(t, turned)
		}),
		table("reordered", "headers the other way round over columns as they were", false, func(t simclinic.Table) simclinic.Table {
			t.Headers = slices.Clone(t.Headers)
			slices.Reverse(t.Headers)
			return t
		}),
		table("reordered", "rows the other way round", true, func(t simclinic.Table) simclinic.Table {
			t.Rows = slices.Clone(t.Rows)
			slices.Reverse(t.Rows)
			return t
		}),
		table("added", "a column more in front", true, func(t simclinic.Table) simclinic.Table {
			t = reordered(t, append([]int{0}, order(t)...))
			t.Headers[0] = "Row"
			return t
		}),
		table("added", "a column without a name", false, func(t simclinic.Table) simclinic.Table {
			t = reordered(t, append(order(t), 0))
			t.Headers[len(t.Headers)-1] = ""
			return t
		}),
		table("count", "last row missing", false, func(t simclinic.Table) simclinic.Table { t.Rows = t.Rows[:len(t.Rows)-1]; return t }),
		table("count", "first half alone", false, func(t simclinic.Table) simclinic.Table { t.Rows = t.Rows[:len(t.Rows)/2]; return t }),
		table("count", "no rows", false, func(t simclinic.Table) simclinic.Table { t.Rows = nil; return t }),
		table("count", "a row twice in place of another", false, func(t simclinic.Table) simclinic.Table {
			t.Rows = slices.Clone(t.Rows)
			t.Rows[len(t.Rows)-1] = t.Rows[0]
			return t
		}),
		table("count", "a row of totals at the end", false, func(t simclinic.Table) simclinic.Table {
			last := slices.Clone(t.Rows[len(t.Rows)-1])
			for i := range last {
				if last[i].Kind != simclinic.Money && last[i].Kind != simclinic.Minutes {
					last[i] = simclinic.Cell{}
				}
			}
			last[0] = simclinic.Cell{Kind: simclinic.Text, Text: "Total"}
			t.Rows = append(slices.Clone(t.Rows), last)
			return t
		}),
		table("retyped", "amounts in cents", false, func(t simclinic.Table) simclinic.Table {
			return celled(t, func(_ int, c simclinic.Cell) simclinic.Cell {
				if c.Kind == simclinic.Money {
					c.Number *= 100
				}
				return c
			})
		}),
		table("retyped", "amounts as words", false, retyped(simclinic.Money, func(simclinic.Cell) string { return "ninety-five" })),
		table("retyped", "amounts rounded to thousands", false, retyped(simclinic.Money, func(c simclinic.Cell) string { return fmt.Sprintf("%.1fk", float64(c.Number)/1e5) })),
		table("retyped", "hours as hours and minutes", false, retyped(simclinic.Minutes, func(c simclinic.Cell) string { return fmt.Sprintf("%dh%02d", c.Number/60, c.Number%60) })),
		table("retyped", "counts as words", false, retyped(simclinic.Integer, func(simclinic.Cell) string { return "several" })),
		table("retyped", "yes and no as ticks", false, retyped(simclinic.Flag, func(simclinic.Cell) string { return "✓" })),
		table("translated", "states in German", false, retyped(simclinic.State, func(simclinic.Cell) string { return "abgeschlossen" })),
		table("date form", "instants as seconds", false, retyped(simclinic.Instant, func(c simclinic.Cell) string { return fmt.Sprint(c.Number) })),
		table("date form", "instants with a zone's short name", false, retyped(simclinic.Instant, func(c simclinic.Cell) string { return strings.TrimSuffix(c.String(), "UTC") + "CST" })),
		table("date form", "days as numbers of days", false, retyped(simclinic.Day, func(c simclinic.Cell) string { return fmt.Sprint(c.Number % 1000) })),
		table("date form", "days without a year", false, retyped(simclinic.Day, func(c simclinic.Cell) string { return c.String()[5:] })),
	}
}

// layoutMutations change how a CSV is laid out.
func layoutMutations() []FileMutation {
	body := func(class, name string, harmless bool, change func([]byte) []byte) FileMutation {
		return FileMutation{Name: name, Class: class, Harmless: harmless, Body: change}
	}
	replace := func(old, now string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(now)) }
	}
	lines := func(change func([][]byte) [][]byte) func([]byte) []byte {
		return func(b []byte) []byte {
			split := bytes.SplitAfter(b, []byte("\n"))
			return bytes.Join(change(split), nil)
		}
	}
	before := func(text string) func([]byte) []byte {
		return func(b []byte) []byte { return append([]byte(text), b...) }
	}
	return []FileMutation{
		body("separator", "semicolons", false, replace(",", ";")),
		body("separator", "tabs", false, replace(",", "\t")),
		body("separator", "bars", false, replace(",", "|")),
		body("separator", "separator named in the first line", false, before("sep=,\n")),
		body("separator", "a comma more in every row", false, lines(func(all [][]byte) [][]byte {
			for i := 1; i < len(all); i++ {
				all[i] = append([]byte("x,"), all[i]...)
			}
			return all
		})),
		body("separator", "a comma more in some rows", false, lines(func(all [][]byte) [][]byte {
			for i := 5; i < len(all)-1; i += 7 {
				all[i] = append([]byte("x,"), all[i]...)
			}
			return all
		})),
		body("preamble", "a title in front", true, before("Report of the clinic\n\n")),
		body("preamble", "ten lines in front", true, before(strings.Repeat("Prepared for you\n", 10))),
		body("preamble", "forty lines in front", false, before(strings.Repeat("Prepared for you\n", 40))),
		body("preamble", "another range in front", false, before("Date range: 2024-01-01 to 2024-01-31\n")),
		body("preamble", "header again in the middle", false, lines(func(all [][]byte) [][]byte {
			return slices.Insert(all, len(all)/2, all[0])
		})),
		body("preamble", "no header", false, lines(func(all [][]byte) [][]byte { return all[1:] })),
		body("preamble", "header in two lines", false, func(b []byte) []byte {
			at := bytes.IndexByte(b, ',')
			return slices.Concat(b[:at], []byte("\n"), b[at+1:])
		}),
		body("preamble", "a note at the end", false, func(b []byte) []byte { return append(slices.Clone(b), []byte("* not final\n")...) }),
		body("preamble", "blank lines at the end", true, func(b []byte) []byte { return append(slices.Clone(b), []byte("\n\n\n")...) }),
		body("encoding", "byte order mark", true, before("\ufeff")),
		body("encoding", "lines ended as Windows does", true, replace("\n", "\r\n")),
		body("encoding", "lines ended as old Macintoshes did", false, replace("\n", "\r")),
		body("encoding", "UTF-16", false, func(b []byte) []byte {
			out := []byte{0xff, 0xfe}
			for _, unit := range utf16.Encode([]rune(string(b))) {
				out = append(out, byte(unit), byte(unit>>8))
			}
			return out
		}),
		body("encoding", "cut off in a row", false, func(b []byte) []byte { return b[:len(b)-20] }),
		body("encoding", "cut off in the middle", false, func(b []byte) []byte { return b[:len(b)/2] }),
		body("encoding", "every cell in quotes", true, lines(func(all [][]byte) [][]byte {
			for i, line := range all {
				if len(line) > 1 && !bytes.Contains(line, []byte(`"`)) {
					all[i] = []byte(`"` + strings.ReplaceAll(strings.TrimSuffix(string(line), "\n"), ",", `","`) + "\"\n")
				}
			}
			return all
		})),
		body("encoding", "single quotes around cells", false, func(b []byte) []byte {
			return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\n"), []byte("'\n'")), []byte(","), []byte("','"))
		}),
		body("encoding", "a page", false, func([]byte) []byte { return []byte("<!doctype html><table><tr><td>id</td></tr></table>") }),
		body("encoding", "nothing", false, func([]byte) []byte { return nil }),
		body("encoding", "zero bytes in it", false, replace(",", ",\x00")),
	}
}

var (
	isoDay = regexp.MustCompile(`\b(20[0-9]{2})-([0-9]{2})-([0-9]{2})\b`)
	point  = regexp.MustCompile(`\b([0-9]+)\.([0-9]{2})\b`)
	clock  = regexp.MustCompile(`\b([0-9]{2}):([0-9]{2}):([0-9]{2})\b`)
)

// spellingMutations change how days and amounts are written.
func spellingMutations() []FileMutation {
	spelled := func(class, name string, harmless bool, pattern *regexp.Regexp, as string) FileMutation {
		return FileMutation{Name: name, Class: class, Harmless: harmless, Body: func(b []byte) []byte { return pattern.ReplaceAll(b, []byte(as)) }}
	}
	return []FileMutation{
		spelled("date form", "days as DD/MM/YYYY", false, isoDay, "$3/$2/$1"),
		spelled("date form", "days as MM/DD/YYYY", false, isoDay, "$2/$3/$1"),
		spelled("date form", "days as DD.MM.YYYY", false, isoDay, "$3.$2.$1"),
		spelled("date form", "days as YYYY-DD-MM", false, isoDay, "$1-$3-$2"),
		spelled("date form", "days as YYYYMMDD", false, isoDay, "$1$2$3"),
		spelled("date form", "days as YY-MM-DD", false, regexp.MustCompile(`\b20([0-9]{2})-([0-9]{2})-([0-9]{2})\b`), "$1-$2-$3"),
		spelled("date form", "days a century ago", false, isoDay, "19$2-$2-$3"),
		spelled("date form", "days with slashes", true, isoDay, "$1/$2/$3"),
		spelled("date form", "times with full stops", false, clock, "$1.$2.$3"),
		spelled("date form", "times with AM", false, clock, "$1:$2 AM"),
		spelled("localised numbers", "decimal commas", false, point, `"$1,$2"`),
		spelled("localised numbers", "decimal commas without quotes", false, point, "$1,$2"),
		spelled("localised numbers", "decimal points raised", false, point, "$1·$2"),
		spelled("localised numbers", "thousands with apostrophes", false, point, "1'$1.$2"),
		spelled("localised numbers", "amounts with another currency", false, point, "€$1.$2"),
		spelled("localised numbers", "amounts with a code behind", false, point, "$1.$2 EUR"),
		spelled("localised numbers", "amounts with three decimals", false, point, "$1.${2}5"),
	}
}

// order is the columns of a table as they are.
func order(t simclinic.Table) []int {
	out := make([]int, len(t.Headers))
	for i := range out {
		out[i] = i
	}
	return out
}

// reordered lays a table's columns out anew.
func reordered(t simclinic.Table, columns []int) simclinic.Table {
	headers, rows := make([]string, len(columns)), make([][]simclinic.Cell, len(t.Rows))
	for to, from := range columns {
		headers[to] = t.Headers[from]
	}
	for i, row := range t.Rows {
		rows[i] = make([]simclinic.Cell, len(columns))
		for to, from := range columns {
			rows[i][to] = row[from]
		}
	}
	t.Headers, t.Rows = headers, rows
	return t
}

func relabelled(column int, header string) func(simclinic.Table) simclinic.Table {
	return func(t simclinic.Table) simclinic.Table {
		t.Headers = slices.Clone(t.Headers)
		t.Headers[column] = header
		return t
	}
}

func celled(t simclinic.Table, change func(column int, c simclinic.Cell) simclinic.Cell) simclinic.Table {
	rows := make([][]simclinic.Cell, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = make([]simclinic.Cell, len(row))
		for column, c := range row {
			rows[i][column] = change(column, c)
		}
	}
	t.Rows = rows
	return t
}

// retyped writes cells of one kind as text.
func retyped(kind simclinic.CellKind, as func(simclinic.Cell) string) func(simclinic.Table) simclinic.Table {
	return func(t simclinic.Table) simclinic.Table {
		return celled(t, func(_ int, c simclinic.Cell) simclinic.Cell {
			if c.Kind == kind {
				return simclinic.Cell{Kind: simclinic.Text, Text: as(c)}
			}
			return c
		})
	}
}
