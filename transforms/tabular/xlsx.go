package tabular

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// exportSheet is the sheet that the portal writes.
const exportSheet = "Export"

// book is an opened workbook.
//
// The reader is ours, over archive/zip, because the usual library unpacks large sheets into the system's temporary
// folder, where names must never lie, takes broken XML for the end of the sheet, and turns every cell into a string.
type book struct {
	date1904 bool
	sheet    *sheetGrid
}

// archive is the zip around a workbook, with what may still be unpacked.
type archive struct {
	name   string
	zip    *zip.Reader
	limit  int64
	budget int64
}

// zipEntry begins every entry of a zip archive's list of files. A workbook of a report has a dozen; one of maxParts would take
// memory for its list alone.
const (
	zipEntry = "PK\x01\x02"
	maxParts = 4096
)

func openBook(name string, body []byte, limits Limits) (*book, error) {
	if bytes.Count(body, []byte(zipEntry)) > maxParts {
		return nil, &Error{File: name, Problem: fmt.Sprintf("the zip archive holds more than %d files", maxParts),
			Hint: "This is no report: export it again"}
	}
	reader, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, damaged(name, "the XLSX file breaks off", err)
	}
	a := &archive{name: name, zip: reader, limit: limits.UnzippedBytes, budget: limits.UnzippedBytes}
	workbook, err := a.target("_rels/.rels", "officeDocument", "xl/workbook.xml")
	if err != nil {
		return nil, err
	}
	part, found, err := a.part(workbook)
	if err != nil {
		return nil, err
	} else if !found {
		return nil, &Error{File: name, Problem: "the file is a zip archive without an Excel workbook in it",
			Hint: "Unpack it, and import the CSV or XLSX files inside"}
	}
	b := &book{}
	relation, err := b.chooseSheet(name, part)
	if err != nil {
		return nil, err
	}
	rels := path.Join(path.Dir(workbook), "_rels", path.Base(workbook)+".rels")
	sheet, err := a.relation(rels, func(s *xmlScanner) bool { return s.attrText("Id") == relation }, "xl/worksheets/sheet1.xml")
	if err != nil {
		return nil, err
	}
	shared, err := a.target(rels, "sharedStrings", "xl/sharedStrings.xml")
	if err != nil {
		return nil, err
	}
	var table sharedStrings
	if texts, _, err := a.stream(shared); err != nil {
		return nil, err
	} else if texts != nil {
		if table, err = readSharedStrings(texts); err != nil {
			return nil, damaged(name, "the XLSX file's table of texts is damaged", err)
		}
	}
	rows, size, err := a.stream(sheet)
	if err != nil {
		return nil, err
	} else if rows == nil {
		return nil, damaged(name, "the XLSX file has no sheet in it", nil)
	}
	b.sheet = &sheetGrid{name: name, xml: rows, shared: table, limit: limits.RowBytes, size: size}
	return b, nil
}

func damaged(name, problem string, err error) error {
	if file, ok := errors.AsType[*Error](err); ok {
		return file
	}
	return &Error{File: name, Problem: problem, Broken: true, Hint: "The file is cut off or damaged: export it again, and wait until the download has ended", Err: err}
}

// find is the entry of a part. Its name is matched without regard to case, as Excel does; a name that is there twice could
// be one thing to us and another to the program that a person checked the file with.
func (a *archive) find(name string) (*zip.File, error) {
	var found *zip.File
	for _, f := range a.zip.File {
		if !strings.EqualFold(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"), name) {
			continue
		}
		if found != nil {
			return nil, damaged(a.name, "the XLSX file holds one of its parts twice", nil)
		}
		if found = f; f.Flags&zipEncrypted != 0 {
			return nil, passwordProtected(a.name)
		}
	}
	return found, nil
}

// zipEncrypted is the flag of an entry that needs a password.
const zipEncrypted = 1

// limited reads a part until the archive's budget is used up, and gives an *Error then.
type limited struct {
	archive *archive
	from    io.Reader
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	if l.archive.budget -= int64(n); l.archive.budget < 0 {
		return n, &Error{File: l.archive.name, Problem: fmt.Sprintf("the XLSX file unpacks to more than %d MB", l.archive.limit>>20),
			Hint: "Export a shorter range, or export as CSV"}
	}
	return n, err
}

// open starts to unpack a part, nil where it is not there.
func (a *archive) open(name string) (io.Reader, int64, error) {
	f, err := a.find(name)
	if err != nil || f == nil {
		return nil, 0, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, 0, damaged(a.name, "the XLSX file is damaged", err)
	}
	return &limited{a, r}, int64(min(f.UncompressedSize64, 1<<40)), nil
}

// part unpacks one part as a whole: one of the small ones.
func (a *archive) part(name string) ([]byte, bool, error) {
	r, _, err := a.open(name)
	if err != nil || r == nil {
		return nil, false, err
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, false, a.failed(err)
	}
	return body, true, nil
}

// stream is a scanner that unpacks a part as it goes on, and what the part says that it unpacks to.
func (a *archive) stream(name string) (*xmlScanner, int64, error) {
	r, size, err := a.open(name)
	if err != nil || r == nil {
		return nil, 0, err
	}
	s, err := newStream(r)
	if err != nil {
		return nil, 0, a.failed(err)
	}
	return s, size, nil
}

// failed keeps an *Error and makes one of anything else.
func (a *archive) failed(err error) error {
	if file, ok := errors.AsType[*Error](err); ok {
		return file
	}
	return damaged(a.name, "the XLSX file is damaged", err)
}

// target is the part that a relationships part names for a kind of content.
func (a *archive) target(rels, kind, otherwise string) (string, error) {
	return a.relation(rels, func(s *xmlScanner) bool { return strings.HasSuffix(s.attrText("Type"), "/"+kind) }, otherwise)
}

func (a *archive) relation(rels string, is func(*xmlScanner) bool, otherwise string) (string, error) {
	part, found, err := a.part(rels)
	if err != nil || !found {
		return otherwise, err
	}
	s := newScanner(part)
	for {
		kind, _, err := s.next()
		if err != nil {
			return "", damaged(a.name, "the XLSX file's list of parts is damaged", err)
		}
		if kind == endOfPart {
			return otherwise, nil
		}
		if kind != startTag || string(s.name) != "Relationship" || !is(s) {
			continue
		}
		target := s.attrText("Target")
		if absolute, ok := strings.CutPrefix(target, "/"); ok {
			return absolute, nil
		}
		return path.Join(path.Dir(path.Dir(rels)), target), nil
	}
}

// chooseSheet finds the relation of the sheet `Export`, or of the only one.
func (b *book) chooseSheet(name string, part []byte) (string, error) {
	s := newScanner(part)
	var names, relations []string
	for {
		kind, _, err := s.next()
		if err != nil {
			return "", damaged(name, "the XLSX file's list of sheets is damaged", err)
		}
		if kind == endOfPart {
			break
		}
		if kind != startTag {
			continue
		}
		switch string(s.name) {
		case "workbookPr":
			v := s.attrText("date1904")
			b.date1904 = v == "1" || v == "true"
		case "sheet":
			names = append(names, s.attrText("name"))
			relations = append(relations, s.attrText("id"))
		}
	}
	for i, n := range names {
		if strings.EqualFold(strings.TrimSpace(n), exportSheet) {
			return relations[i], nil
		}
	}
	switch len(names) {
	case 1:
		return relations[0], nil
	case 0:
		return "", damaged(name, "the XLSX file has no sheet in it", nil)
	}
	return "", &Error{File: name, Problem: fmt.Sprintf("the workbook has %d sheets and none is called `%s`", len(names), exportSheet),
		Hint: "Import the file as the portal gave it, or delete the other sheets"}
}

// sharedStrings is a workbook's table of texts: one arena and the end of each text in it. They are not Go strings,
// because most of them are names that nobody may read.
type sharedStrings struct {
	arena []byte
	ends  []int
}

func (t sharedStrings) at(i int) ([]byte, bool) {
	if i < 0 || i >= len(t.ends) {
		return nil, false
	}
	start := 0
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.arena[start:t.ends[i]], true
}

func readSharedStrings(s *xmlScanner) (sharedStrings, error) {
	var t sharedStrings
	for {
		kind, _, err := s.next()
		if err != nil || kind == endOfPart {
			return t, err
		}
		if kind == startTag && string(s.name) == "si" {
			if t.arena, err = appendRich(t.arena, s); err != nil {
				return t, err
			}
			t.ends = append(t.ends, len(t.arena))
		}
	}
}

// appendRich appends the text of the current si or is element, which may be split into formatted runs; phonetic guides
// are left out.
func appendRich(dst []byte, s *xmlScanner) ([]byte, error) {
	start, inText := len(dst), 0
	for depth := 1; depth > 0; {
		kind, raw, err := s.next()
		if err != nil {
			return dst, err
		}
		switch kind {
		case startTag:
			if name := string(s.name); name == "rPh" || name == "phoneticPr" {
				if err := s.skip(); err != nil {
					return dst, err
				}
				continue
			} else if name == "t" {
				inText = depth
			}
			depth++
		case endTag:
			if depth--; depth == inText {
				inText = 0
			}
		case text:
			if inText == 0 {
				continue
			}
			if dst, err = appendText(dst, raw); err != nil {
				return dst, err
			}
		case endOfPart:
			return dst, errXML
		}
	}
	return dst[:start+len(resolveEscapes(dst[start:]))], nil
}

// resolveEscapes turns _xHHHH_, Excel's way to write a character that XML has none for (a carriage return, mostly), into
// that character, in place.
func resolveEscapes(s []byte) []byte {
	at := bytes.Index(s, []byte("_x"))
	if at < 0 {
		return s
	}
	out := s[:at]
	for i := at; i < len(s); i++ {
		if i+7 <= len(s) && s[i] == '_' && s[i+1] == 'x' && s[i+6] == '_' {
			if code, err := strconv.ParseUint(string(s[i+2:i+6]), 16, 16); err == nil && utf8.ValidRune(rune(code)) {
				out = utf8.AppendRune(out, rune(code)) // at most 3 bytes where 7 were
				i += 6
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}
