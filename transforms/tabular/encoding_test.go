package tabular_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// wide is a text in UTF-16, low byte first or last.
func wide(text string, bigEndian bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if bigEndian {
			low, high = high, low
		}
		b.WriteByte(low)
		b.WriteByte(high)
	}
	return b.String()
}

func TestEncodings(t *testing.T) {
	const text = "id,name\r\n1,\"Zoë, née Ōta\"\r\n2,🙂 “x”\r\n"
	for name, test := range map[string]struct {
		body, encoding string
		names          []string
	}{
		"UTF-8":                           {text, "UTF-8", []string{"Zoë, née Ōta", "🙂 “x”"}},
		"UTF-8 with a mark":               {"\xef\xbb\xbf" + text, "UTF-8", []string{"Zoë, née Ōta", "🙂 “x”"}},
		"UTF-16, low byte first":          {"\xff\xfe" + wide(text, false), "UTF-16LE", []string{"Zoë, née Ōta", "🙂 “x”"}},
		"UTF-16, high byte first":         {"\xfe\xff" + wide(text, true), "UTF-16BE", []string{"Zoë, née Ōta", "🙂 “x”"}},
		"UTF-16 without a mark, low":      {wide("id,name\n1,Ann\n2,Ben\n", false), "UTF-16LE", []string{"Ann", "Ben"}},
		"UTF-16 without a mark, high":     {wide("id,name\n1,Ann\n2,Ben\n", true), "UTF-16BE", []string{"Ann", "Ben"}},
		"Windows-1252":                    {"id,name\n1,Zo\xeb M\xfcller\n2,Renaud\x92s caf\xe9\n", "Windows-1252", []string{"Zoë Müller", "Renaud’s café"}},
		"a broken byte is no encoding":    {"id,name\n1,Ann\xff\n2,Ben\n", "UTF-8", []string{"Ann\xff", "Ben"}},
		"two encodings are none":          {"id,name\n1,Zo\xeb\n2,Zoë\n", "UTF-8", []string{"Zo\xeb", "Zoë"}},
		"an old Mac's letters are none":   {"id,name\n1,Zo\x91\n2,caf\x8e\n", "UTF-8", []string{"Zo\x91", "caf\x8e"}},
		"a mark says UTF-8, bytes do not": {"\xef\xbb\xbfid,name\n1,Zo\xeb\n", "UTF-8", []string{"Zo\xeb"}},
	} {
		table, rows, err := read(t, []byte(test.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var names []string
		for _, row := range rows {
			names = append(names, row[2])
		}
		if table.Encoding != test.encoding || !slices.Equal(names, test.names) {
			t.Errorf("%s: %s, %q", name, table.Encoding, names)
		}
	}
}

// What is no CSV in an encoding that can be told is refused, with the row where there is one and what to do.
func TestBadEncodings(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		row  int
		want string
	}{
		"UTF-32, low byte first":    {"\xff\xfe\x00\x00i\x00\x00\x00", 0, "text in UTF-32"},
		"UTF-32, high byte first":   {"\x00\x00\xfe\xff\x00\x00\x00i", 0, "text in UTF-32"},
		"UTF-32 without a mark":     {"i\x00\x00\x00d\x00\x00\x00,\x00\x00\x00n\x00\x00\x00", 1, "byte 2 is NUL"},
		"half a UTF-16 unit":        {"\xff\xfe" + wide("id,name\n1,Ann\n", false) + "x", 0, "ends within a character"},
		"a lone surrogate":          {"\xff\xfe" + wide("id,name\n1,", false) + "\x00\xd8" + wide("\n", false), 2, "half a character"},
		"a surrogate at the end":    {"\xfe\xff" + wide("id,name\n1,", true) + "\xd8\x00", 2, "half a character"},
		"NUL in UTF-16":             {"\xff\xfe" + wide("id,name\n1,\x00\n", false), 2, "is NUL"},
		"a web page in UTF-16":      {"\xff\xfe" + wide("<html>", false), 0, "is a web page"},
		"nothing in UTF-16":         {"\xff\xfe" + wide(" \r\n", false), 0, "is empty"},
		"tabs in UTF-16":            {"\xff\xfe" + wide("id\tname\n1\tAnn\n", false), 0, `separated by "\t"`},
		"carriage returns alone":    {"id,name\r1,Ann\r2,Ben\r", 0, "a carriage return alone"},
		"an open quote in UTF-16BE": {"\xfe\xff" + wide("id,name\n1,\"Ann\n", true), 2, "none closes it"},
	} {
		_, _, err := read(t, []byte(test.body))
		var file *tabular.Error
		if !errors.As(err, &file) || file.Row != test.row || file.Hint == "" || !strings.Contains(file.Problem, test.want) {
			t.Errorf("%s: row %d wanted, %q: %v", name, test.row, test.want, err)
		}
	}
}
