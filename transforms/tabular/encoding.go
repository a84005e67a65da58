package tabular

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// The marks that begin a text and say how it is encoded.
var (
	utf8BOM    = []byte("\xef\xbb\xbf")
	utf16LEBOM = []byte("\xff\xfe")
	utf16BEBOM = []byte("\xfe\xff")
	utf32LEBOM = []byte("\xff\xfe\x00\x00")
	utf32BEBOM = []byte("\x00\x00\xfe\xff")
)

// The encodings of a CSV that are read.
const (
	encodingUTF8    = "UTF-8"
	encodingUTF16LE = "UTF-16LE"
	encodingUTF16BE = "UTF-16BE"
	encodingWestern = "Windows-1252"
)

// decode gives a CSV as UTF-8 without its mark, and the encoding that it came in. A file says which it is by a mark; without one,
// UTF-16 shows by its zeros, and Windows-1252 by being no UTF-8 at all while every byte of it is a letter or sign of Western
// Europe. What fits neither stays as it is: of a text in a third encoding, or in two, the cells that are no UTF-8 send their rows
// to quarantine, and nobody guesses what they say.
func decode(name string, body []byte) ([]byte, string, error) {
	switch {
	case bytes.HasPrefix(body, utf32LEBOM), bytes.HasPrefix(body, utf32BEBOM):
		return nil, "", &Error{File: name, Problem: "the file is text in UTF-32", Hint: saveAsUTF8}
	case bytes.HasPrefix(body, utf8BOM):
		return body[len(utf8BOM):], encodingUTF8, nil
	case bytes.HasPrefix(body, utf16LEBOM):
		return decodeUTF16(name, body[2:], binary.LittleEndian, encodingUTF16LE)
	case bytes.HasPrefix(body, utf16BEBOM):
		return decodeUTF16(name, body[2:], binary.BigEndian, encodingUTF16BE)
	}
	switch zerosOf(body) {
	case encodingUTF16LE:
		return decodeUTF16(name, body, binary.LittleEndian, encodingUTF16LE)
	case encodingUTF16BE:
		return decodeUTF16(name, body, binary.BigEndian, encodingUTF16BE)
	}
	if western(body) {
		return decodeWestern(body), encodingWestern, nil
	}
	return body, encodingUTF8, nil
}

const saveAsUTF8 = "Export it again as CSV from the portal, or save it as `CSV UTF-8`"

// zerosOf tells UTF-16 without a mark: a header is in English, so every other byte of the file's beginning is zero, and the
// rest are not.
func zerosOf(body []byte) string {
	start := body[:min(len(body), 256)&^1]
	if len(start) < 8 {
		return ""
	}
	var zeros [2]int
	for i, c := range start {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch half := len(start) / 2; {
	case zeros[0] == 0 && zeros[1] == half:
		return encodingUTF16LE
	case zeros[1] == 0 && zeros[0] == half:
		return encodingUTF16BE
	}
	return ""
}

func decodeUTF16(name string, body []byte, order binary.ByteOrder, encoding string) ([]byte, string, error) {
	if len(body)%2 != 0 {
		return nil, "", &Error{File: name, Problem: "the file is text in " + encoding + " and ends within a character", Broken: true,
			Hint: "It is cut off: export it again, and wait until the download has ended"}
	}
	out := make([]byte, 0, len(body)/2+len(body)/16)
	for i, row := 0, 1; i < len(body); i += 2 {
		r := rune(order.Uint16(body[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+3 < len(body) {
				low = rune(order.Uint16(body[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return nil, "", &Error{File: name, Row: row, Problem: "the file is text in " + encoding + " and holds half a character",
					Hint: "It is damaged: export it again"}
			}
			i += 2
		}
		switch r {
		case 0:
			return nil, "", notText(name, row, i)
		case '\n':
			row++
		}
		out = utf8.AppendRune(out, r)
	}
	return out, encoding, nil
}

func notText(name string, row, at int) error {
	return &Error{File: name, Row: row, Problem: fmt.Sprintf("the file is not text: byte %d is NUL", at+1),
		Hint: "It is damaged, or no report: export it again as CSV or XLSX"}
}

// westernBytes are the bytes from 128 on that a Western European text in Windows-1252 holds: its letters, and the quotes, dashes
// and signs that people type. Letters of 0x80 to 0x9f are left out: in a text of old Macs they are the commonest ones and mean
// others. So are signs that hardly occur in a name.
var westernBytes = func() (set [256]bool) {
	for c := 0xc0; c <= 0xfc; c++ {
		set[c] = true
	}
	for _, c := range []int{0xd0, 0xd7, 0xde, 0xf0, 0xf7} { // Ð × Þ ð ÷
		set[c] = false
	}
	for _, c := range []int{0x80, 0x85, 0x91, 0x92, 0x93, 0x94, 0x96, 0x97, 0xa0, 0xa3, 0xa9, 0xab, 0xae, 0xb0, 0xb7, 0xbb, 0xbf} {
		set[c] = true
	}
	return set
}()

// western reports whether a text can only be Windows-1252: it is no UTF-8, no part of it that is beyond ASCII is UTF-8, and
// all of it is in westernBytes.
func western(body []byte) bool {
	if utf8.Valid(body) {
		return false
	}
	for i := 0; i < len(body); {
		if body[i] < utf8.RuneSelf {
			i++
			continue
		}
		if _, size := utf8.DecodeRune(body[i:]); size > 1 || !westernBytes[body[i]] {
			return false
		}
		i++
	}
	return true
}

func decodeWestern(body []byte) []byte {
	out := make([]byte, 0, len(body)+len(body)/16)
	for _, c := range body {
		out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(c))
	}
	return out
}
