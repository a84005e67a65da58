package tabular_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// headed accepts a row that starts with `id`.
func headed(cells []string) bool { return len(cells) > 1 && strings.TrimSpace(cells[0]) == "id" }

// workbook writes rows to a sheet of that name, nil for a cell that is not there.
func workbook(t testing.TB, sheet string, rows [][]any, change ...func(*excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		t.Fatal(err)
	}
	for r, cells := range rows {
		for c, v := range cells {
			if v == nil {
				continue
			}
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SetCellValue(sheet, at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range change {
		c(f)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read gives every row of the table with all columns kept, the row number first.
func read(t testing.TB, body []byte) (*tabular.Table, [][]string, error) {
	t.Helper()
	table, err := tabular.Open("report", body, headed, tabular.Limits{})
	if err != nil {
		return nil, nil, err
	}
	var all []int
	for i := range table.Header {
		all = append(all, i)
	}
	table.Keep(all)
	var rows [][]string
	for table.Next() {
		cells := []string{fmt.Sprint(table.Row())}
		for i := range table.Header {
			cells = append(cells, string(table.Cell(i).Text))
		}
		rows = append(rows, cells)
	}
	return table, rows, table.Err()
}

func TestCSVDialects(t *testing.T) {
	tests := []struct {
		name, body string
		header     []string
		rows       [][]string
	}{
		{"plain", "id,name\n1,Ann\n2,Ben\n", []string{"id", "name"}, [][]string{{"2", "1", "Ann"}, {"3", "2", "Ben"}}},
		{"CRLF, no end", "id,name\r\n1,Ann\r\n2,Ben", []string{"id", "name"}, [][]string{{"2", "1", "Ann"}, {"3", "2", "Ben"}}},
		{"carriage return at the very end", "id,name\n1,Ann\r", []string{"id", "name"}, [][]string{{"2", "1", "Ann"}}},
		{"BOM", "\xef\xbb\xbfid,name\n1,Ann\n", []string{"id", "name"}, [][]string{{"2", "1", "Ann"}}},
		{"quotes", "id,name\n1,\"A, \"\"B\"\"\nC\"\n2,\"\"\n", []string{"id", "name"}, [][]string{{"2", "1", "A, \"B\"\nC"}, {"3", "2", ""}}},
		{"quoted header with BOM", "\xef\xbb\xbf\"id\",\"name\"\n1,2\n", []string{"id", "name"}, [][]string{{"2", "1", "2"}}},
		{"preamble", "Sales report\n\n\"Date range: a, b\",x,y\nid,name\n1,Ann\n", []string{"id", "name"}, [][]string{{"5", "1", "Ann"}}},
		{"blank rows count but do not appear", "id,name\n\n1,Ann\n , \n,\n2,Ben\n\n", []string{"id", "name"}, [][]string{{"3", "1", "Ann"}, {"6", "2", "Ben"}}},
		{"padded rows", "id,name,,\n1,Ann,,\n", []string{"id", "name"}, [][]string{{"2", "1", "Ann"}}},
		{"header only", "id,name", []string{"id", "name"}, nil},
		{"last cell empty", "id,name\n1,", []string{"id", "name"}, [][]string{{"2", "1", ""}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table, rows, err := read(t, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if table.Format != tabular.CSV || !slices.Equal(table.Header, test.header) {
				t.Errorf("%s with header %q, want %q", table.Format, table.Header, test.header)
			}
			if !reflect.DeepEqual(rows, test.rows) {
				t.Errorf("rows %q, want %q", rows, test.rows)
			}
		})
	}
}

func TestXLSX(t *testing.T) {
	body := workbook(t, "Export", [][]any{
		{"Sales report"},
		{},
		{"id", "name", "hours", "new"},
		{1, "A & <B>\n\"C\"", 152.5, true},
		{},
		{2, nil, -0.25, false},
		{3, "x", nil, nil},
	}, func(f *excelize.File) {
		if _, err := f.NewSheet("Other"); err != nil {
			t.Fatal(err)
		}
	})
	table, rows, err := read(t, body)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"4", "1", "A & <B>\n\"C\"", "152.5", "true"},
		{"6", "2", "", "-0.25", "false"},
		{"7", "3", "x", "", ""},
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
	if table.Format != tabular.XLSX || table.HeaderRow != 3 || table.Preamble[0][0] != "Sales report" || table.Date1904 {
		t.Errorf("table %+v", table)
	}
}

func TestXLSXNumbersAreMarked(t *testing.T) {
	table, err := tabular.Open("x", workbook(t, "Export", [][]any{{"id", "v"}, {1, "1"}}), headed, tabular.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	table.Keep([]int{0, 1})
	if !table.Next() || !table.Cell(0).Number || table.Cell(1).Number {
		t.Errorf("number cell %+v, text cell %+v", table.Cell(0), table.Cell(1))
	}
}

func TestXLSXSheetChoice(t *testing.T) {
	rows := [][]any{{"id", "name"}, {1, "Ann"}}
	second := func(name string) func(*excelize.File) {
		return func(f *excelize.File) {
			if _, err := f.NewSheet(name); err != nil {
				t.Fatal(err)
			}
			if err := f.SetCellValue(name, "A1", "id"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, got, err := read(t, workbook(t, "Whatever", rows)); err != nil || len(got) != 1 {
		t.Errorf("a single sheet of another name: %v, %v", got, err)
	}
	if _, got, err := read(t, workbook(t, "export", rows, second("A"))); err != nil || len(got) != 1 {
		t.Errorf("sheet export among two: %v, %v", got, err)
	}
	_, _, err := read(t, workbook(t, "One", rows, second("Two")))
	if err == nil || !strings.Contains(err.Error(), "2 sheets and none is called `Export`") {
		t.Errorf("two sheets of other names: %v", err)
	}
	table, _, err := read(t, workbook(t, "Export", rows, func(f *excelize.File) {
		yes := true
		if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}); err != nil {
			t.Fatal(err)
		}
	}))
	if err != nil || !table.Date1904 {
		t.Errorf("1904 dates not seen: %v", err)
	}
}

// Cells that are not kept are counted and cannot be asked for.
func TestKeep(t *testing.T) {
	csv := []byte("id,notes,name\n1,\"secret, \"\"one\"\"\",Ann\n2,,Ben\n3,secret,Cid\n4,\" \",Dee\n")
	xlsx := workbook(t, "Export", [][]any{{"id", "notes", "name"}, {1, "secret, \"one\"", "Ann"}, {2, nil, "Ben"}, {3, "secret", "Cid"}, {4, " ", "Dee"}})
	for _, body := range [][]byte{csv, xlsx} {
		table, err := tabular.Open("report", body, headed, tabular.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		table.Keep([]int{2, 0})
		var got []string
		for table.Next() {
			got = append(got, string(table.Cell(0).Text)+string(table.Cell(1).Text))
		}
		if want := []string{"Ann1", "Ben2", "Cid3", "Dee4"}; table.Err() != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", table.Format, got, table.Err())
		}
		if table.Skipped(1) != 2 || table.Skipped(0) != 0 || table.Rows() != 4 {
			t.Errorf("%s: skipped %d notes and %d ids in %d rows", table.Format, table.Skipped(1), table.Skipped(0), table.Rows())
		}
	}
}

// Every bad file ends in one error that names the file, the row where there is one, and what to do.
func TestBadFiles(t *testing.T) {
	good := workbook(t, "Export", [][]any{{"id", "name"}, {1, "Ann"}})
	noise := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	rows := strings.Repeat("just,some,text\n", 50)
	tests := []struct {
		name string
		body []byte
		row  int
		want string
	}{
		{"empty", nil, 0, "the file is empty"},
		{"white space", []byte(" \r\n\n"), 0, "the file is empty"},
		{"BOM alone", []byte("\xef\xbb\xbf"), 0, "the file is empty"},
		{"web page", []byte("\n<!DOCTYPE html><html><body>id,name</body></html>"), 0, "the file is a web page"},
		{"NUL", []byte("id,name\n1,\x00\n"), 2, "byte 11 is NUL"},
		{"noise", noise, 2, "the file is not text"},
		{"old Excel", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), 0, "a document of an old Office program"},
		{"PDF", []byte("%PDF-1.7"), 0, "a PDF"},
		{"semicolons", []byte("id;name\n1;Ann\n"), 0, `separated by ";"`},
		{"quoted cells between tabs", []byte("x\n\"id\"\t\"name\"\n"), 2, "text stands behind a cell's closing"},
		{"tabs, bare", []byte("x\nid\tname\n"), 0, `separated by "\t"`},
		{"no header", []byte(rows), 0, "none of its first 30 rows is the header"},
		{"header too late", []byte(strings.Repeat("x\n", 30) + "id,name\n"), 0, "none of its first 30 rows is the header"},
		{"short row", []byte("id,name,age\n1,Ann,3\n2,Ben\n"), 3, "the row has 2 cells, the header 3"},
		{"long row", []byte("id,name\n1,Ann,extra\n"), 2, "the row has 3 cells, the header 2"},
		{"cut off", []byte("id,name\n1,Ann\n2"), 3, "the row has 1 cells, the header 2"},
		{"quote inside", []byte("id,name\n1,5\" ball\n"), 2, "a quotation mark stands inside a cell"},
		{"text behind quote", []byte("id,name\n1,\"a\"b\n"), 2, "text stands behind a cell's closing quotation mark"},
		{"open quote", []byte("id,name\n1,Ann\n2,\"Ben\n3,Cid\n"), 3, "none closes it"},
		{"endless line", bytes.Repeat([]byte("a"), 2<<20), 1, "the row is longer than 1048576 bytes"},
		{"endless cells", bytes.Repeat([]byte("a,"), 2<<20), 1, "the row is longer than 1048576 bytes"},
		{"endless quoted cell", append([]byte("id,name\n1,\""), bytes.Repeat([]byte("a"), 2<<20)...), 2, "the row is longer than 1048576 bytes"},
		{"endless doubled quotes", append([]byte("id,name\n1,"), bytes.Repeat([]byte("\"\""), 2<<20)...), 2, "the row is longer than 1048576 bytes"},
		{"truncated XLSX", good[:len(good)/2], 0, "the XLSX file breaks off"},
		{"XLSX of four bytes", good[:4], 0, "the XLSX file breaks off"},
		{"XLSX with a hole", slices.Concat(good[:len(good)/3], good[len(good)/3+8:]), 0, "the XLSX file"},
		{"XLSX without header", workbook(t, "Export", [][]any{{"a", "b"}}), 0, "none of its first 30 rows is the header"},
		{"XLSX, cell beyond the header", workbook(t, "Export", [][]any{{"id", "name"}, {1, "Ann", "x"}}), 2, "the row has 3 cells, the header 2"},
		{"other archive", archive(t, map[string]string{"a.csv": "id,name\n"}), 0, "a zip archive without an Excel workbook"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := read(t, test.body)
			var file *tabular.Error
			if !errors.As(err, &file) {
				t.Fatalf("error %v is no *tabular.Error", err)
			}
			if file.File != "report" || file.Row != test.row || file.Hint == "" || !strings.Contains(file.Problem, test.want) {
				t.Errorf("row %d: %v", file.Row, err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
		})
	}
	if _, _, err := read(t, []byte(rows)); !errors.Is(err, tabular.ErrNoHeader) {
		t.Errorf("%v does not wrap ErrNoHeader", err)
	}
}

// 100 MB of anything must be refused before it costs time or memory; the rows of a CSV are views of the body.
func TestHundredMegabytesOfGarbage(t *testing.T) {
	const size = 100 << 20
	for _, pattern := range []string{"a", "garbage, all the way down\n", `"`, " ", "PK\x03\x04"} {
		body := bytes.Repeat([]byte(pattern), size/len(pattern))
		var err error
		spent := testing.AllocsPerRun(1, func() { _, _, err = read(t, body) })
		if err == nil || spent > 10_000 {
			t.Errorf("100 MB of %q: error %v after %v allocations", pattern, err, spent)
		}
	}
}
