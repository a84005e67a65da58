package tabular_test

import (
	"bytes"
	"encoding/csv"
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// any row is a header, so that the fuzzers reach everything behind it.
func anyRow([]string) bool { return true }

func drain(name string, body []byte) ([][]string, error) {
	table, err := tabular.Open(name, body, anyRow, tabular.Limits{UnzippedBytes: 1 << 20, RowBytes: 1 << 16})
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
		if bytes.HasPrefix(body, []byte("PK")) || bytes.IndexByte(body, 0) >= 0 {
			return
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

// FuzzXLSX looks for panics and endless loops in sheets and shared strings.
func FuzzXLSX(f *testing.F) {
	f.Add(`<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c t="inlineStr"><is><t>b</t></is></c></row></sheetData></worksheet>`, `<sst><si><t>a</t></si></sst>`)
	f.Add(`<worksheet><sheetData><row><c t="b"><v>1</v></c><c/></row><row/></sheetData></worksheet>`, `<sst><si><r><t>_x000D_</t></r></si></sst>`)
	f.Add(`<a b='c' d="e"><![CDATA[x]]></a>`, `<?x?><!-- -->&#x41;`)
	f.Fuzz(func(t *testing.T, sheet, shared string) {
		_, _ = drain("fuzz.xlsx", handmade(t, sheet, shared))
	})
}
