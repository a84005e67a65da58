package tabular_test

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// any row is a header, so that the fuzzers reach everything behind it.
func anyRow([]string) bool { return true }

func drain(name string, body []byte) ([][]string, error) {
	return drained(tabular.Open(name, body, anyRow, fuzzLimits))
}

var fuzzLimits = tabular.Limits{UnzippedBytes: 1 << 20, RowBytes: 1 << 16}

func drained(table *tabular.Table, err error) ([][]string, error) {
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range table.Header {
		all = append(all, i)
	}
	table.Keep(all)
	rows := [][]string{table.Header}
	for table.Next() {
		var cells []string
		for i := range table.Header {
			cells = append(cells, string(table.Cell(i).Text))
		}
		rows = append(rows, cells)
	}
	return rows, table.Err()
}

// FuzzCSV holds the reader against encoding/csv: what both accept they must read alike, and what encoding/csv refuses
// for its quotes we must refuse too.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\n1,2\n", "a,b\r\n\"1\",\"x\"\"y\"\r\n", "\xef\xbb\xbfa\n\n\"\n\"\n", "a,b\n1\n", "a\"b\n", "\"a\"b\n", "\"", ",\n,", "a\rb,c\r"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := drain("fuzz.csv", body)
		if bytes.HasPrefix(body, []byte("PK")) || bytes.IndexByte(body, 0) >= 0 || !utf8.Valid(body) {
			return // no CSV, or one in another encoding
		}
		oracle := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
		oracle.FieldsPerRecord = -1
		records, oracleErr := oracle.ReadAll()
		if err != nil {
			return
		}
		if oracleErr != nil {
			t.Fatalf("accepted %q, encoding/csv says %v", body, oracleErr)
		}
		var want [][]string
		for i, record := range records {
			if strings.TrimSpace(strings.Join(record, "")) == "" && i > 0 {
				continue
			}
			want = append(want, record)
		}
		normal := func(rows [][]string) [][]string {
			out := [][]string{}
			for _, row := range rows {
				cells := []string{}
				for _, c := range row {
					cells = append(cells, strings.ReplaceAll(c, "\r\n", "\n"))
				}
				for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
					cells = cells[:len(cells)-1]
				}
				if len(cells) > 0 {
					out = append(out, cells)
				}
			}
			return out
		}
		if got, want := normal(got), normal(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\nread  %q\nwants %q", body, got, want)
		}
	})
}

// FuzzEncodings: a text is read alike in every encoding that has it.
func FuzzEncodings(f *testing.F) {
	f.Add("1,Zo\u00eb\n2,\u201cx\u201d\n")
	f.Add("\"a\r\nb\",\U0001f642\n")
	f.Add("1,2\r3")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return
		}
		text = "id,name\n" + text
		want, wantErr := drain("fuzz.csv", []byte(text))
		for name, body := range map[string]string{"with a mark": "\xef\xbb\xbf" + text, "UTF-16LE": "\xff\xfe" + wide(text, false), "UTF-16BE": "\xfe\xff" + wide(text, true)} {
			got, err := drain("fuzz.csv", []byte(body))
			if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%s: %q, %v; in UTF-8 %q, %v", name, got, err, want, wantErr)
			}
		}
		narrow, err := charmap.Windows1252.NewEncoder().String(text)
		if err != nil || narrow == text {
			return
		}
		table, err := tabular.Open("fuzz.csv", []byte(narrow), anyRow, fuzzLimits)
		if err != nil || table.Encoding != "Windows-1252" {
			return
		}
		if got, err := drained(table, nil); !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("Windows-1252: %q, %v; in UTF-8 %q, %v", got, err, want, wantErr)
		}
	})
}

// FuzzXLSX looks for panics and endless loops in sheets and shared strings, and holds the short way of reading a cell against
// the long one.
func FuzzXLSX(f *testing.F) {
	f.Add(`<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c t="inlineStr"><is><t>b</t></is></c></row></sheetData></worksheet>`, `<sst><si><t>a</t></si></sst>`)
	f.Add(`<worksheet><sheetData><row><c t="b"><v>1</v></c><c/></row><row/></sheetData></worksheet>`, `<sst><si><r><t>_x000D_</t></r></si></sst>`)
	f.Add(`<a b='c' d="e"><![CDATA[x]]></a>`, `<?x?><!-- -->&#x41;`)
	f.Add(`<worksheet><sheetData><row><c t="inlineStr"><is><t xml:space="preserve"> a&amp;_x0041_</t></is></c><c t="str"><v>a</v></c><c t="e"><v/></c></row></sheetData></worksheet>`, ``)
	f.Fuzz(func(t *testing.T, sheet, shared string) {
		body := handmade(t, sheet, shared)
		got, err := drain("fuzz.xlsx", body)
		want, wantErr := drained(tabular.OpenSlowly("fuzz.xlsx", body, anyRow, fuzzLimits))
		if !reflect.DeepEqual(got, want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%q\nthe short way %q, %v\nthe long way %q, %v", sheet, got, err, want, wantErr)
		}
	})
}
