package tabular

import (
	"bytes"
	"fmt"
	"strings"
)

// Error says why a file cannot be read, in words for the person who exported it. It never quotes a cell.
type Error struct {
	File string
	// Row is the spreadsheet row, 0 where the file as a whole is meant.
	Row int
	// Problem is what is wrong.
	Problem string
	// Hint is what to do, a sentence without its full stop.
	Hint string
	// Broken says that the file is cut off or damaged: exported again it may be whole.
	Broken bool
	// Err is the cause, may be nil.
	Err error
}

// Error gives file, row, problem and hint in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Row > 0 {
		fmt.Fprintf(&b, ", row %d", e.Row)
	}
	b.WriteString(": " + e.Problem)
	if e.Hint != "" {
		b.WriteString(". " + e.Hint)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

var zipMagic = []byte("PK\x03\x04")

// foreign are first bytes of files that are no table, with what they are.
var foreign = []struct{ magic, what, hint string }{
	{"PK\x05\x06", "an empty zip archive", "Export the report again"},
	{"%PDF", "a PDF", "Choose `Export to CSV` or `Export to Excel` in the report's menu, not print"},
	{"\x1f\x8b", "compressed with gzip", "Unpack it first"},
	{"\x89PNG", "a picture", "Choose `Export to CSV` or `Export to Excel` in the report's menu"},
	{"\xff\xd8\xff", "a picture", "Choose `Export to CSV` or `Export to Excel` in the report's menu"},
}

// unreadable tells what a file is that can be neither CSV nor XLSX.
func unreadable(name string, body []byte) error {
	for _, f := range foreign {
		if bytes.HasPrefix(body, []byte(f.magic)) {
			return &Error{File: name, Problem: "the file is " + f.what, Hint: f.hint}
		}
	}
	if bytes.HasPrefix(body, zipMagic) {
		return nil
	}
	if bytes.HasPrefix(body, []byte(compound)) {
		if bytes.Contains(body, encryptedPackage) {
			return passwordProtected(name)
		}
		return &Error{File: name, Problem: "the file is a document of an old Office program", Hint: "Export it again as CSV or XLSX"}
	}
	return nil
}

// noTable tells of a text, as UTF-8, what it is that can be no CSV.
func noTable(name string, body []byte) error {
	start := bytes.TrimSpace(body[:min(len(body), 4096)])
	if len(start) == 0 && len(bytes.TrimSpace(body)) == 0 {
		return &Error{File: name, Problem: "the file is empty", Hint: "Export the report again, and wait until the portal says that it is ready"}
	}
	if bytes.HasPrefix(start, []byte("<")) {
		return &Error{File: name, Problem: "the file is a web page, not a report",
			Hint: "Follow the download link on the portal's preview page instead of saving the page"}
	}
	if at := bytes.IndexByte(body, 0); at >= 0 {
		return notText(name, 1+bytes.Count(body[:at], []byte("\n")), at)
	}
	return nil
}

// compound begins the files of old Office programs, and those in which newer ones lock a workbook away. The second kind has a
// stream of that name, in UTF-16 as such names are.
const compound = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

var encryptedPackage = []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")

func passwordProtected(name string) error {
	return &Error{File: name, Problem: "the file is password-protected", Hint: "Export it again as CSV or XLSX, without a password"}
}

// splitBare parts a line at a separator and takes quotes off; it is for guessing what a file is, not for reading it.
func splitBare(line, separator string) []string {
	parts := strings.Split(line, separator)
	for i, p := range parts {
		parts[i] = strings.Trim(p, `" `)
	}
	return parts
}
