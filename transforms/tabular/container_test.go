package tabular_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// headRow is a sheet up to its first row of data.
const headRow = `<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="inlineStr"><is><t>name</t></is></c></row>`

// zipped is handmade with further parts.
func zipped(t testing.TB, sheet string, more map[string]string) []byte {
	t.Helper()
	parts := map[string]string{
		"_rels/.rels":                `<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<workbook><sheets><sheet name="Export" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   sheet,
	}
	maps.Copy(parts, more)
	return archive(t, parts)
}

// A workbook may hold macros, links to other files, embedded documents and more: none of them is opened, and the rows are read.
func TestWhatAWorkbookHoldsBesides(t *testing.T) {
	sheet := headRow + `<row r="2"><c r="A2"><v>1</v></c><c r="B2"><f>HYPERLINK("http://example.invalid/?"&amp;A1)</f><v>7</v></c></row></sheetData>` +
		`<oleObjects><oleObject progId="Package" r:id="rId9"/></oleObjects><legacyDrawing r:id="rId8"/></worksheet>`
	for name, more := range map[string]map[string]string{
		"macros":         {"xl/vbaProject.bin": "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "[Content_Types].xml": `<Types><Override ContentType="application/vnd.ms-excel.sheet.macroEnabled.main+xml"/></Types>`},
		"external links": {"xl/externalLinks/externalLink1.xml": `<externalLink><externalBook r:id="rId1"/></externalLink>`, "xl/externalLinks/_rels/externalLink1.xml.rels": `<Relationships><Relationship Target="file:///etc/passwd" TargetMode="External"/></Relationships>`},
		"OLE":            {"xl/embeddings/oleObject1.bin": strings.Repeat("\xd0\xcf", 5000)},
		"broken XML":     {"xl/comments1.xml": "<a><b>", "docProps/core.xml": `<!DOCTYPE x [<!ENTITY a "b">]>`},
		"a way out":      {"../../etc/cron.d/x": "* * * * * root id", "/etc/passwd": "x", `C:\x`: "x"},
		"a bomb":         {"xl/media/image1.png": strings.Repeat("\x00", 64<<20)},
	} {
		_, rows, err := read(t, zipped(t, sheet, more))
		if want := []string{"2", "1", "7"}; err != nil || len(rows) != 1 || !slices.Equal(rows[0], want) {
			t.Errorf("%s: %q, %v", name, rows, err)
		}
	}
}

// What a workbook can do to its reader ends in one error with file, row where there is one, and remedy; never in memory.
func TestHostileWorkbooks(t *testing.T) {
	row := func(cells string) string { return headRow + `<row r="2">` + cells + `</row></sheetData></worksheet>` }
	twice := func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, content := range []string{`<workbook/>`, `<workbook><sheets/></workbook>`} {
			f, _ := w.Create("xl/workbook.xml")
			_, _ = f.Write([]byte(content))
		}
		_ = w.Close()
		return b.Bytes()
	}()
	crowd := map[string]string{}
	for i := range 5000 {
		crowd[fmt.Sprint("xl/media/", i)] = ""
	}
	inner := zipped(t, row(`<c><v>1</v></c>`), nil)
	tests := map[string]struct {
		body []byte
		row  int
		want string
	}{
		"an archive in an archive":          {archive(t, map[string]string{"report.xlsx": string(inner)}), 0, "a zip archive without an Excel workbook"},
		"five thousand parts":               {zipped(t, row(""), crowd), 0, "more than 4096 files"},
		"a part twice":                      {twice, 0, "one of its parts twice"},
		"an entry that needs a password":    {flagged(inner), 0, "password-protected"},
		"a locked workbook":                 {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 1024) + wide("EncryptedPackage", false)), 0, "password-protected"},
		"a workbook of old Excel":           {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 1024) + wide("Workbook", false)), 0, "old Office program"},
		"entities that declare each other":  {zipped(t, `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>`+row(`<c t="str"><v>&b;</v></c>`), nil), 0, "damaged"},
		"an entity from outside":            {zipped(t, `<!DOCTYPE l SYSTEM "file:///etc/passwd">`+row(""), nil), 0, "damaged"},
		"nested without end":                {zipped(t, headRow+`<row r="2">`+strings.Repeat("<c>", 100_000), nil), 2, "nested too deep"},
		"nested without end, behind a row":  {zipped(t, headRow+strings.Repeat("<x>", 100_000), nil), 1, "nested too deep"},
		"one endless text":                  {zipped(t, headRow+`<row r="2"><c t="str"><v>`+strings.Repeat("a", 16<<20), nil), 2, "a text that is too long"},
		"one endless tag":                   {zipped(t, headRow+`<row r="2"><c `+strings.Repeat("a", 16<<20), nil), 2, "a text that is too long"},
		"a row of long texts":               {zipped(t, row(strings.Repeat(`<c t="str"><v>`+strings.Repeat("a", 30_000)+`</v></c>`, 50)), nil), 2, "the row has 50 cells, the header 2"},
		"a million columns":                 {zipped(t, row(strings.Repeat(`<c><v>1</v></c>`, 1_000_000)), nil), 2, "16384 cells"},
		"a million blank columns":           {zipped(t, row(strings.Repeat(`<c/>`, 1_000_000)), nil), 2, "16384 cells"},
		"a cell behind XFD":                 {zipped(t, row(`<c r="XFE2"><v>1</v></c>`), nil), 2, "16384 cells"},
		"a cell without letters":            {zipped(t, row(`<c r="12"><v>1</v></c>`), nil), 2, "damaged"},
		"a cell in XFD":                     {zipped(t, row(`<c r="XFD2"><v>1</v></c>`), nil), 2, "the row has 16384 cells, the header 2"},
		"a row number beyond all":           {zipped(t, headRow+`<row r="99999999999999999999"><c><v>1</v></c></row>`, nil), 2, "damaged"},
		"a shared text that is not there":   {zipped(t, row(`<c t="s"><v>7</v></c>`), map[string]string{"xl/sharedStrings.xml": `<sst count="9"><si><t>a</t></si></sst>`}), 2, "damaged"},
		"a shared text of a huge number":    {zipped(t, row(`<c t="s"><v>4294967296</v></c>`), nil), 2, "damaged"},
		"shared texts that promise a lot":   {zipped(t, row(`<c t="s"><v>0</v></c>`), map[string]string{"xl/sharedStrings.xml": `<sst count="4294967295" uniqueCount="4294967295">`}), 0, "table of texts"},
		"no sheet in the list":              {zipped(t, row(""), map[string]string{"xl/workbook.xml": `<workbook><sheets/></workbook>`}), 0, "no sheet in it"},
		"a sheet that is not there":         {zipped(t, row(""), map[string]string{"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Target="worksheets/gone.xml"/></Relationships>`}), 0, "no sheet in it"},
		"several sheets, none called so":    {zipped(t, row(""), map[string]string{"xl/workbook.xml": `<workbook><sheets><sheet name="A" r:id="rId1"/><sheet name="B" r:id="rId1"/></sheets></workbook>`}), 0, "2 sheets and none is called `Export`"},
		"a chart sheet":                     {zipped(t, `<chartsheet/>`, nil), 0, "no rows"},
		"a control character by reference":  {zipped(t, row(`<c t="str"><v>&#0;</v></c>`), nil), 2, "damaged"},
		"a sheet in UTF-16":                 {zipped(t, "\xff\xfe"+wide(row(`<c><v>1</v></c>`), false), nil), 0, "XLSX file"},
		"a cell that breaks off in a chunk": {zipped(t, headRow+strings.Repeat(" ", 256<<10-len(headRow)-4)+`<row><c><v>1`, nil), 2, "damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var err error
			grown := memory(func() { _, _, err = read(t, test.body) })
			var file *tabular.Error
			if !errors.As(err, &file) || file.Row != test.row || file.Hint == "" || !strings.Contains(file.Problem, test.want) {
				t.Fatalf("row %d wanted, %q: %v", test.row, test.want, err)
			}
			if grown > 64<<20 {
				t.Errorf("it took %d MB", grown>>20)
			}
		})
	}
}

// flagged sets the flag of encryption on every entry of an archive.
func flagged(body []byte) []byte {
	out := bytes.Clone(body)
	for at := 0; ; at += 4 {
		next := bytes.Index(out[at:], []byte("PK\x01\x02"))
		if next < 0 {
			return out
		}
		at += next
		binary.LittleEndian.PutUint16(out[at+8:], binary.LittleEndian.Uint16(out[at+8:])|1)
	}
}

// memory is how many bytes a function allocates.
func memory(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// An entry's word of its size is not believed, and entries that overlap unpack no more than the limit.
func TestLyingArchives(t *testing.T) {
	good := zipped(t, headRow+strings.Repeat(`<row><c><v>1</v></c><c><v>2</v></c></row>`, 20_000)+`</sheetData></worksheet>`, nil)
	huge := bytes.Clone(good)
	for at := 0; ; at += 4 {
		next := bytes.Index(huge[at:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		at += next
		binary.LittleEndian.PutUint32(huge[at+24:], 0xfffffff0) // four gigabytes, unpacked
	}
	var err error
	if grown := memory(func() { _, _, err = read(t, huge) }); err == nil || grown > 64<<20 {
		t.Errorf("sizes of four gigabytes: %d MB, %v", grown>>20, err)
	}

	// Every file of the list points to the same bytes.
	overlapping := bytes.Clone(good)
	for at := 0; ; at += 4 {
		next := bytes.Index(overlapping[at:], []byte("PK\x01\x02"))
		if next < 0 {
			break
		}
		at += next
		binary.LittleEndian.PutUint32(overlapping[at+42:], 0)
	}
	if grown := memory(func() { _, _, err = read(t, overlapping) }); err == nil || grown > 64<<20 {
		t.Errorf("overlapping entries: %d MB, %v", grown>>20, err)
	}
}

// A large sheet is read in a window, not as a whole.
func TestLargeSheetInAWindow(t *testing.T) {
	const rows = 300_000
	body := zipped(t, headRow+strings.Repeat(`<row><c t="inlineStr"><is><t>somebody's long and dull name</t></is></c><c><v>2</v></c></row>`, rows)+`</sheetData></worksheet>`, nil)
	table, err := tabular.Open("x", body, headed, tabular.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	table.Keep([]int{1})
	peak := uint64(0)
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before := stats.HeapAlloc
	for table.Next() {
		if table.Rows()%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
			peak = max(peak, stats.HeapAlloc)
		}
	}
	if table.Err() != nil || table.Rows() != rows || table.Skipped(0) != rows {
		t.Fatalf("%d rows, %v", table.Rows(), table.Err())
	}
	if peak > before+8<<20 {
		t.Errorf("27 MB of sheet held %d MB", (peak-before)>>20)
	}
}

// FuzzContainer changes bytes of a sound workbook, or cuts it off: either the same rows come out, or one *Error does.
func FuzzContainer(f *testing.F) {
	shared := map[string]string{"xl/sharedStrings.xml": `<sst><si><t>Ann &amp; Co</t></si><si><t>Ben</t></si></sst>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="x/sharedStrings" Target="sharedStrings.xml"/></Relationships>`}
	sound := zipped(f, headRow+`<row r="2"><c r="A2"><v>1</v></c><c r="B2" t="s"><v>0</v></c></row><row r="3"><c r="A3"><v>2</v></c><c r="B3" t="s"><v>1</v></c></row></sheetData></worksheet>`, shared)
	want := [][]string{{"2", "1", "Ann & Co"}, {"3", "2", "Ben"}}
	for _, at := range []int{0, 14, 26, 30, 64, 200, len(sound) - 1, len(sound) - 6, len(sound) - 22, len(sound) - 60} {
		f.Add(at, byte(1), 0)
		f.Add(at, byte(0xff), at%7)
	}
	f.Fuzz(func(t *testing.T, at int, flip byte, cut int) {
		body := bytes.Clone(sound)
		body[uint(at)%uint(len(body))] ^= flip
		body = body[:len(body)-int(uint(cut)%uint(len(body)))]
		_, rows, err := read(t, body)
		var file *tabular.Error
		switch {
		case err != nil && !errors.As(err, &file):
			t.Fatalf("byte %d ^ %d, %d cut off: %v is no *tabular.Error", at, flip, cut, err)
		case err == nil && fmt.Sprint(rows) != fmt.Sprint(want):
			t.Fatalf("byte %d ^ %d, %d cut off: read %q", at, flip, cut, rows)
		}
	})
}

// FuzzCells holds the reader against excelize: of what that library writes, both read the same. A text is parted at bars into many
// cells, because opening a workbook costs far more than a cell.
func FuzzCells(f *testing.F) {
	f.Add("a <&> \"é\"|=1+1| padded\n|_x000D_|\u202eabc|１２||x\ty|&amp;|&#65;|]]>|\ufeff", 12.5)
	f.Add("_x005F_x0041_|_x|_X0041_|_x00e9_|\r|\r\n|'", -0.1)
	f.Fuzz(func(t *testing.T, texts string, number float64) {
		rows := [][]any{{"id", "name", "number"}}
		for i, text := range strings.Split(texts, "|") {
			rows = append(rows, []any{i, text, number})
		}
		book := excelize.NewFile()
		defer book.Close()
		w, err := book.NewStreamWriter("Sheet1")
		if err != nil {
			t.Fatal(err)
		}
		for i, cells := range rows {
			if err := w.SetRow(fmt.Sprint("A", i+1), cells); err != nil {
				return
			}
		}
		if err := w.Flush(); err != nil {
			return
		}
		var body bytes.Buffer
		if err := book.Write(&body); err != nil {
			return
		}
		oracle, err := excelize.OpenReader(bytes.NewReader(body.Bytes()), excelize.Options{RawCellValue: true})
		if err != nil {
			return
		}
		defer oracle.Close()
		want, err := oracle.GetRows("Sheet1")
		if err != nil {
			return
		}
		got, err := drain("fuzz.xlsx", body.Bytes())
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q: %d rows and %v, excelize reads %d", rows, len(got), err, len(want))
		}
		for r := range want {
			for c := range 3 {
				cell := ""
				if c < len(want[r]) {
					cell = want[r][c]
				}
				if got[r][c] != cell {
					t.Fatalf("row %d column %d of %q: %q, excelize reads %q", r, c, rows, got[r][c], cell)
				}
			}
		}
	})
}
