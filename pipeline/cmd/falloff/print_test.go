package main

import (
	"bytes"
	"encoding/csv"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/export"
)

func TestNoCellStartsAFormula(t *testing.T) {
	for _, test := range []struct {
		cell any
		want string
	}{
		{"plain", "plain"}, {"", ""}, {nil, ""}, {"a=b", "a=b"}, {"a-b+c@d", "a-b+c@d"}, {"1-2", "1-2"}, {"'=quoted", "''=quoted"},
		{"=1+1", "'=1+1"}, {"+1", "'+1"}, {"-1", "'-1"}, {"@SUM(A1)", "'@SUM(A1)"}, {"-12.00", "'-12.00"}, {"==", "'=="}, {"-", "'-"},
		{"\t=1", "'\t'=1"}, {"\r=1", "'\r'=1"}, {"\n=1", "\n'=1"}, {" =1", " '=1"}, {"\u00a0=1", "\u00a0'=1"},
		{"\ufeff=1", "\ufeff'=1"}, {"\u200b=1", "\u200b'=1"}, {"\u202e=1", "\u202e'=1"},
		{"＝1", "'＝1"}, {"＋1", "'＋1"}, {"－1", "'－1"}, {"＠x", "'＠x"}, {"﹦1", "'﹦1"},
		{"a;=1", "a;'=1"}, {"a\n=1\n+2", "a\n'=1\n'+2"}, {"a\t=1", "a\t'=1"}, {"a; -b", "a; '-b"}, {"=a;=b", "'=a;'=b"}, {"a|=1", "a|'=1"},
		{`=cmd|' /C calc'!A0`, `'=cmd|' /C calc'!A0`}, {`=HYPERLINK("http://x","y")`, `'=HYPERLINK("http://x","y")`},
		// What is a number by its type stays one.
		{int64(-12), "-12"}, {-12.5, "-12.5"}, {big.NewInt(-7), "-7"}, {duckdb.Decimal{Width: 10, Scale: 2, Value: big.NewInt(-1234)}, "-12.34"}, {int32(-1), "-1"},
		{true, "true"}, {time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), "2026-09-01"}, {[]byte("=1"), `\x3d31`}, {[]any{"=1"}, `["=1"]`},
	} {
		if got := export.SafeCell(test.cell); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.cell, got, test.want)
		}
	}
}

// FuzzSafeCell: whatever is printed, no cell of the file begins a formula, by whichever separator somebody's spreadsheet parts it,
// and the text is there again when the apostrophes are taken off.
func FuzzSafeCell(f *testing.F) {
	for _, seed := range []string{"=1+1", "a;=1", "\"\n=1", "'-", "＝", " \u200b@x", "a\r\n+b", ",=", "\xff=1"} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		var out bytes.Buffer
		if err := printCSV(&out, []string{"a", one}, [][]any{{one, two}, {int64(-1), one}}); err != nil {
			t.Fatal(err)
		}
		starts := func(cell string) bool {
			cell = strings.TrimLeftFunc(cell, func(r rune) bool { return r != '\t' && r != '\r' && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)) })
			return cell != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(cell)[0])
		}
		records, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
		if err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		for r, record := range records {
			for c, cell := range record {
				if starts(cell) && (r != 2 || c != 0) {
					t.Fatalf("%q and %q: the cell %q begins a formula", one, two, cell)
				}
				for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == '\n' || r == '\t' }) {
					if starts(part) && (r != 2 || c != 0) {
						t.Fatalf("%q and %q: parted elsewhere, %q begins a formula", one, two, part)
					}
				}
			}
		}
		bare := func(text string) string { return strings.NewReplacer("'", "", "\r\n", "\n", "\r", "").Replace(text) }
		if bare(records[1][1]) != bare(two) {
			t.Fatalf("%q was printed as %q", two, records[1][1])
		}
	})
}
