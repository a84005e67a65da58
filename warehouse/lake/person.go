package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
)

// sought are texts that a patient is known by: pseudonyms. A row is the patient's when any of its texts is one, or has one in it, as
// the made-up keys of marts do.
type sought struct {
	texts [][]byte
	// told is given every text instead, and says whether to go on no further; nil where texts are sought.
	told func(text string) bool
}

func soughtTexts(texts []string) sought {
	out := sought{}
	for _, t := range texts {
		out.texts = append(out.texts, []byte(t))
	}
	return out
}

func (s sought) in(text []byte) bool {
	if s.told != nil {
		return s.told(string(text))
	}
	for _, t := range s.texts {
		if len(text) >= len(t) && bytes.Contains(text, t) {
			return true
		}
	}
	return false
}

func (s sought) inText(text string) bool {
	if s.told != nil {
		return s.told(text)
	}
	for _, t := range s.texts {
		if len(text) >= len(t) && strings.Contains(text, string(t)) {
			return true
		}
	}
	return false
}

// holds says whether any row of an object that was read has one of the texts. Bytes are plain ones, or an encrypted table's.
func (c *Clinic) holds(ctx context.Context, o Object, body []byte, s sought) (bool, error) {
	switch {
	case o.isTable():
		f, err := c.openSealed(o, bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		return f.holds(ctx, s)
	case !strings.HasSuffix(o.Path, parquetEnding):
		return s.in(body), nil
	}
	found, err := s.inParquet(body)
	if err != nil {
		return false, fmt.Errorf("object %s of clinic %s: %w", o.Path, c.id, err)
	}
	return found, nil
}

// inParquet looks into every text of a plain Parquet file. Where a page refers to a dictionary, that is what is looked into: a
// text of it stands in some row.
func (s sought) inParquet(body []byte) (found bool, err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return false, err
	}
	for _, group := range f.RowGroups() {
		for _, chunk := range group.ColumnChunks() {
			if kind := chunk.Type().Kind(); kind != parquet.ByteArray && kind != parquet.FixedLenByteArray {
				continue
			}
			if found, err := s.inChunk(chunk); found || err != nil {
				return found, err
			}
		}
	}
	return false, nil
}

func (s sought) inChunk(chunk parquet.ColumnChunk) (bool, error) {
	pages := chunk.Pages()
	defer func() { _ = pages.Close() }()
	var known parquet.Dictionary
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		found := false
		if d := page.Dictionary(); d != nil {
			if d != known {
				for i := range d.Len() {
					found = found || s.in(d.Index(int32(i)).ByteArray())
				}
				known = d
			}
		} else {
			found, err = s.inValues(page.Values())
		}
		parquet.Release(page)
		if found || err != nil {
			return found, err
		}
	}
}

func (s sought) inValues(values parquet.ValueReader) (bool, error) {
	var buf [1024]parquet.Value
	for {
		n, err := values.ReadValues(buf[:])
		for _, v := range buf[:n] {
			if !v.IsNull() && s.in(v.ByteArray()) {
				return true, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
}

// holds looks into every text of an encrypted file: of a column that repeats its texts into each once.
func (f *sealedFile) holds(ctx context.Context, s sought) (found bool, err error) {
	defer recovered(&err)
	if leaves := f.reader.MetaData().Schema.NumColumns(); leaves != f.schema.NumFields() {
		return false, fmt.Errorf("object %s has columns inside of columns, which this program cannot search: use a newer falloff", f.of.Path)
	}
	var texts []int
	properties := pqarrow.ArrowReadProperties{}
	for i, field := range f.schema.Fields() {
		if !isText(field.Type) {
			continue
		}
		texts = append(texts, i)
		repeats := f.reader.NumRowGroups() > 0
		for g := range f.reader.NumRowGroups() {
			chunk, err := f.reader.MetaData().RowGroup(g).ColumnChunk(i)
			if err != nil {
				return false, fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			repeats = repeats && chunk.HasDictionaryPage()
		}
		properties.SetReadDict(i, repeats)
	}
	if len(texts) == 0 {
		return false, nil
	}
	rows, err := pqarrow.NewFileReader(f.reader, properties, memory.DefaultAllocator)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	dictionaries := &sealedFile{of: f.of, reader: f.reader, rows: rows, schema: f.schema}
	for g := range f.reader.NumRowGroups() {
		record, err := dictionaries.group(ctx, texts, g)
		if err != nil {
			return false, fmt.Errorf("object %s: %w", f.of.Path, err)
		}
		found := slices.ContainsFunc(record.Columns(), s.inArray)
		record.Release()
		if found {
			return true, nil
		}
	}
	return false, nil
}

func isText(t arrow.DataType) bool {
	return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING || t.ID() == arrow.BINARY
}

func (s sought) inArray(values arrow.Array) bool {
	if d, repeats := values.(*array.Dictionary); repeats {
		values = d.Dictionary()
	}
	at := textAt(values)
	for i := range values.Len() {
		if values.IsValid(i) && s.inText(at(i)) {
			return true
		}
	}
	return false
}

// textAt gives the texts of a column of them; valid while the column is.
func textAt(values arrow.Array) func(i int) string {
	switch v := values.(type) {
	case *array.String:
		return v.Value
	case *array.LargeString:
		return v.Value
	case *array.Binary:
		return v.ValueString
	}
	return func(int) string { return "" }
}
