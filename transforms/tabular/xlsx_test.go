package tabular_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// archive zips parts, in no particular order.
func archive(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range parts {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// handmade is a workbook with that sheet and shared strings, as another program than ours might write it: prefixed names,
// absolute targets, other part names.
func handmade(t testing.TB, sheet, shared string) []byte {
	t.Helper()
	return archive(t, map[string]string{
		"_rels/.rels":  `<?xml version="1.0"?><Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="/book/wb.xml"/></Relationships>`,
		"book/wb.xml":  `<x:workbook xmlns:x="s" xmlns:r="r"><x:sheets><x:sheet name="Data" sheetId="1" r:id="rId7"/></x:sheets></x:workbook>`,
		"Book/s/1.xml": sheet,
		"book/st.xml":  shared,
		"book/_rels/wb.xml.rels": `<Relationships><Relationship Id="rId9" Type="http://x/sharedStrings" Target="st.xml"/>
			<Relationship Target='s/1.xml' Id='rId7' Type="http://x/worksheet"/></Relationships>`,
	})
}

func TestHandmadeWorkbook(t *testing.T) {
	shared := `<sst><!-- c --><si><t>id</t></si><si><r><t>na</t></r><r><rPr><b/></rPr><t xml:space="preserve">me</t></r><rPh><t>no</t></rPh></si>` +
		`<si><t/></si><si/><si><t>A &amp; B &#233;&#xE9;_x000D_` + "\n" + `C _x005F_x</t></si></sst>`
	sheet := "\xef\xbb\xbf" + `<?xml version="1.0"?><x:worksheet xmlns:x="s"><x:dimension ref="A1:C9"/><x:sheetData>` +
		`<x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v></x:c><x:c t="s"><x:v>1</x:v></x:c></x:row>` +
		`<x:row/><x:row r="4"><x:c r="B4" t="s"><x:v> 4 </x:v></x:c></x:row>` +
		`<x:row r="5"><x:c r="A5"><x:f>1+1</x:f><x:v>0.30000000000000004</x:v></x:c><x:c r="B5" t="str"><x:f>"a"&amp;"b"</x:f><x:v>a&lt;b</x:v></x:c></x:row>` +
		`<x:row r="6"><x:c r="A6" t="inlineStr"><x:is><x:t><![CDATA[<x>]]></x:t></x:is></x:c><x:c r="B6" t="s"><x:v>2</x:v></x:c></x:row>` +
		`<x:row><x:c t="e"><x:v>#N/A</x:v></x:c><x:c t="b"><x:v>1</x:v></x:c></x:row>` +
		`</x:sheetData><x:mergeCells><x:mergeCell ref="A1:B1"/></x:mergeCells></x:worksheet>`
	table, rows, err := read(t, handmade(t, sheet, shared))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"4", "", "A & B éé\r\nC _x"},
		{"5", "0.30000000000000004", "a<b"},
		{"6", "<x>", ""},
		{"7", "#N/A", "true"},
	}
	if !reflect.DeepEqual(rows, want) || !reflect.DeepEqual(table.Header, []string{"id", "name"}) {
		t.Errorf("header %q, rows %q, want %q", table.Header, rows, want)
	}
}

// A sheet whose XML breaks off inside a sound zip must not be taken for a shorter report.
func TestBrokenSheets(t *testing.T) {
	head := `<worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>name</t></is></c></row>`
	for name, rest := range map[string]string{
		"ends in a row":             `<row r="2"><c r="A2"><v>1</v></c>`,
		"ends in a tag":             `<row r="2"><c r="A2`,
		"ends in a value":           `<row r="2"><c><v>1`,
		"ends behind a row":         `<row r="2"><c><v>1</v></c></row>`,
		"crossed tags":              `<row r="2"><c><v>1</c></v></row></sheetData></worksheet>`,
		"unknown shared string":     `<row r="2"><c t="s"><v>99</v></c></row></sheetData></worksheet>`,
		"negative shared string":    `<row r="2"><c t="s"><v>-1</v></c></row></sheetData></worksheet>`,
		"shared string without no.": `<row r="2"><c t="s"><v>x</v></c></row></sheetData></worksheet>`,
		"declared entity":           `<row r="2"><c t="str"><v>&boom;</v></c></row></sheetData></worksheet>`,
		"reference without end":     `<row r="2"><c t="str"><v>a & b</v></c></row></sheetData></worksheet>`,
		"rows backwards":            `<row r="1"><c><v>1</v></c></row></sheetData></worksheet>`,
		"cells backwards":           `<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row></sheetData></worksheet>`,
		"nonsense reference":        `<row r="2"><c r="2B"><v>1</v></c></row></sheetData></worksheet>`,
		"document type":             `<!DOCTYPE x [<!ENTITY a "b">]></sheetData></worksheet>`,
	} {
		_, _, err := read(t, handmade(t, head+rest, `<sst/>`))
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, _, err := read(t, handmade(t, head+`<row r="2"><c r="ZZZ2"><v>1</v></c></row>`, `<sst/>`)); err == nil {
		t.Error("a cell in column ZZZ was accepted")
	}
	if _, _, err := read(t, handmade(t, `<worksheet/>`, `<sst/>`)); err == nil || !strings.Contains(err.Error(), "no rows") {
		t.Errorf("a sheet without rows: %v", err)
	}
	if _, _, err := read(t, handmade(t, head, `<sst><si><t>x</si></sst>`)); err == nil || !strings.Contains(err.Error(), "table of texts") {
		t.Errorf("broken shared strings: %v", err)
	}
}

// A small file that unpacks to more than the limit is refused before it is all in memory.
func TestUnzipLimit(t *testing.T) {
	head := `<worksheet><sheetData><row><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>name</t></is></c></row>`
	for name, bomb := range map[string][]byte{
		"sheet": handmade(t, head+strings.Repeat("<row/> ", 32<<20/7), `<sst/>`),
		"texts": handmade(t, head, `<sst>`+strings.Repeat("<si/>", 32<<20/5)),
		"parts": archive(t, map[string]string{"xl/workbook.xml": strings.Repeat(" ", 32<<20)}),
	} {
		if len(bomb) > 1<<20 {
			t.Fatalf("the bomb is %d bytes", len(bomb))
		}
		table, err := tabular.Open("bomb.xlsx", bomb, headed, tabular.Limits{UnzippedBytes: 8 << 20})
		if err == nil {
			for table.Next() {
				t.Errorf("%s: a row that is not there", name)
			}
			err = table.Err()
		}
		if err == nil || !strings.Contains(err.Error(), "unpacks to more than 8 MB") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Whatever excelize writes, we read as it does, and leave nothing in the temporary folder.
func TestReadsLikeExcelize(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	const rows, columns = 400, 30
	for r := range rows {
		cells := make([]any, columns)
		for c := range cells {
			switch (r + c) % 7 {
			case 0:
				cells[c] = fmt.Sprintf("text %d <&> %d \"é\"", r, c)
			case 1:
				cells[c] = r * c
			case 2:
				cells[c] = float64(r) / float64(c+1)
			case 3:
				cells[c] = nil
			case 4:
				cells[c] = "line\none"
			case 5:
				cells[c] = excelize.Cell{Formula: "1+1", Value: 2}
			case 6:
				cells[c] = " padded "
			}
		}
		if r == 0 {
			for c := range cells {
				cells[c] = fmt.Sprint("h", c)
			}
			cells[0], cells[1] = "id", "name"
		}
		if err := w.SetRow(fmt.Sprint("A", r+1), cells); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	body, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	oracle, err := excelize.OpenReader(bytes.NewReader(body.Bytes()), excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	defer oracle.Close()
	want, err := oracle.GetRows("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := read(t, body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != rows-1 || len(want) != rows {
		t.Fatalf("%d rows, excelize reads %d", len(got), len(want))
	}
	for r := 1; r < rows; r++ {
		for c := range columns {
			cell := ""
			if c < len(want[r]) {
				cell = want[r][c]
			}
			if got[r-1][c+1] != cell {
				t.Fatalf("row %d column %d: %q, excelize reads %q", r+1, c, got[r-1][c+1], cell)
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}
