// Package canary searches everything below a folder for planted strings, so that privacy is a property of the bytes and
// not of intentions. It looks at file names and contents as they lie, and again at what is inside: the values of Parquet
// files, gzip and zip members. A string is also found in other letter case, in UTF-16 and with JSON's escapes.
package canary

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// window is how many bytes of a canary are looked up first; shorter ones are refused, since they occur by chance.
const window = 8

// Hit is a planted string that was found.
type Hit struct {
	// File is the path, with the member or column after a `!` where it was found inside.
	File string
	// Canary is the planted string, Form how it was written.
	Canary, Form string
}

// A Searcher knows a set of planted strings.
type Searcher struct {
	byWindow map[uint64][]needle
}

type needle struct {
	body         []byte
	canary, form string
}

// New makes a Searcher. Strings shorter than eight bytes are an error.
func New(canaries []string) (*Searcher, error) {
	s := &Searcher{byWindow: map[uint64][]needle{}}
	seen := map[string]bool{}
	for _, c := range canaries {
		if len(c) < window {
			return nil, fmt.Errorf("canary of %d bytes: at least %d are needed, shorter ones occur by chance", len(c), window)
		}
		for form, body := range forms(c) {
			if seen[string(body)] {
				continue
			}
			seen[string(body)] = true
			key := binary.LittleEndian.Uint64(body)
			s.byWindow[key] = append(s.byWindow[key], needle{body, c, form})
		}
	}
	return s, nil
}

// forms gives the ways a string may be written, all in lower case since the content is lowered too.
func forms(c string) map[string][]byte {
	low := strings.ToLower(c)
	out := map[string][]byte{"utf-8": []byte(low)}
	wide := make([]byte, 0, 2*len(low))
	for _, u := range utf16.Encode([]rune(low)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	out["utf-16"] = wide
	var escaped strings.Builder
	for _, u := range utf16.Encode([]rune(low)) {
		if u < 0x80 {
			escaped.WriteByte(byte(u))
		} else {
			fmt.Fprintf(&escaped, `\u%04x`, u)
		}
	}
	out["json"] = []byte(escaped.String())
	if quoted, err := json.Marshal(low); err == nil {
		out["json string"] = quoted[1 : len(quoted)-1]
	}
	for form, body := range out {
		if len(body) < window {
			delete(out, form)
		}
	}
	return out
}

// Tree searches every regular file below root. Errors are those of reading.
func (s *Searcher) Tree(root string) ([]Hit, error) {
	var hits []Hit
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, h := range s.Bytes([]byte(rel)) {
			h.File = rel + " (its name)"
			hits = append(hits, h)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := s.file(rel, body)
		hits = append(hits, found...)
		return err
	})
	return hits, err
}

// Body searches the content of a file of that name as Tree does. The error is one of reading what is inside.
func (s *Searcher) Body(name string, body []byte) ([]Hit, error) { return s.file(name, body) }

func (s *Searcher) file(name string, body []byte) ([]Hit, error) {
	hits := s.Bytes(body)
	for i := range hits {
		hits[i].File = name
	}
	switch {
	case bytes.HasPrefix(body, []byte("PAR1")):
		inner, err := parquetText(body)
		if err != nil {
			return hits, fmt.Errorf("reading %s to search it: %w", name, err)
		}
		for _, h := range s.Bytes(inner) {
			h.File = name + "!values"
			hits = append(hits, h)
		}
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return hits, nil //nolint:nilerr // not gzip after all: its bytes were searched
		}
		inner, err := io.ReadAll(r)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return hits, nil
		}
		found, err := s.file(name+"!gzip", inner)
		return append(hits, found...), err
	case bytes.HasPrefix(body, []byte("PK\x03\x04")):
		r, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			return hits, nil //nolint:nilerr // not a whole zip: its bytes were searched
		}
		for _, member := range r.File {
			m, err := member.Open()
			if err != nil {
				return hits, fmt.Errorf("reading %s!%s to search it: %w", name, member.Name, err)
			}
			inner, err := io.ReadAll(m)
			_ = m.Close()
			if err != nil {
				return hits, fmt.Errorf("reading %s!%s to search it: %w", name, member.Name, err)
			}
			found, err := s.file(name+"!"+member.Name, inner)
			if err != nil {
				return hits, err
			}
			hits = append(hits, found...)
		}
	}
	return hits, nil
}

// Bytes searches one text; the hits carry no file.
func (s *Searcher) Bytes(text []byte) []Hit {
	low := asciiLower(text)
	hits := s.lowered(low)
	if utf8.Valid(text) { // accented capitals too; in other bytes that would rewrite what is not text
		if lower := bytes.ToLower(text); !bytes.Equal(lower, low) {
			hits = append(hits, s.lowered(lower)...)
		}
	}
	return hits
}

func (s *Searcher) lowered(low []byte) []Hit {
	var hits []Hit
	for i := 0; i+window <= len(low); i++ {
		for _, n := range s.byWindow[binary.LittleEndian.Uint64(low[i:])] {
			if bytes.HasPrefix(low[i:], n.body) {
				hits = append(hits, Hit{Canary: n.canary, Form: n.form})
			}
		}
	}
	return hits
}

func asciiLower(text []byte) []byte {
	low := make([]byte, len(text))
	for i, b := range text {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		low[i] = b
	}
	return low
}

// parquetText is every byte-array value of a Parquet file, one a line, and its metadata.
func parquetText(body []byte) ([]byte, error) {
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, kv := range f.Metadata().KeyValueMetadata {
		fmt.Fprintf(&out, "%s\n%s\n", kv.Key, kv.Value)
	}
	rows := make([]parquet.Row, 512)
	for _, group := range f.RowGroups() {
		reader := group.Rows()
		for {
			n, err := reader.ReadRows(rows)
			for _, row := range rows[:n] {
				for _, v := range row {
					if k := v.Kind(); !v.IsNull() && (k == parquet.ByteArray || k == parquet.FixedLenByteArray) {
						out.Write(v.ByteArray())
						out.WriteByte('\n')
					}
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				_ = reader.Close()
				return nil, err
			}
		}
		if err := reader.Close(); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
