package lake

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// rowGroupRows is DuckDB's own: a thread of it takes a row group at a time, and a month of a clinic is one or two.
const rowGroupRows = 122_880

// pseudonymColumn is who a row is about. Its values are as good as random, so least and greatest rule nothing out, and a file says by a
// bloom filter, of so many bits a person, who is not in it.
const (
	pseudonymColumn = "patient"
	bloomBits       = 10
)

// encode writes rows as one Parquet file, in the order of day and key. Equal rows give equal bytes, in whatever
// order they come and whichever build of this program writes them, as long as its Parquet and zstd libraries are the same.
func (t Table[T]) encode(rows []T) ([]byte, error) {
	return t.encodeSorted(inOrder(rows, nil))
}

// encodeSorted is encode of rows that inOrder gave.
func (t Table[T]) encodeSorted(rows []T) ([]byte, error) {
	var options []parquet.WriterOption
	if !t.undated {
		options = append(options, parquet.SortingWriterConfig(parquet.SortingColumns(parquet.Ascending(t.day))))
	}
	if _, has := t.schema.Lookup(pseudonymColumn); has {
		options = append(options, parquet.BloomFilters(parquet.SplitBlockFilter(bloomBits, pseudonymColumn)))
	}
	body, err := writeParquet(t.schema, rows, options...)
	if err != nil {
		return nil, fmt.Errorf("write rows of %s: %w", t.name, err)
	}
	return body, nil
}

// Encode writes rows as the Parquet file that the lake would store of them, for whoever keeps rows on their way there.
// Equal rows give equal bytes.
func (t Table[T]) Encode(rows []T) ([]byte, error) { return t.encode(slices.Clone(rows)) }

// Decode is the inverse of Encode, up to the order of the rows.
func (t Table[T]) Decode(body []byte) ([]T, error) {
	rows, err := t.decode(body)
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", t.name, err)
	}
	return rows, nil
}

func writeParquet[T any](schema *parquet.Schema, rows []T, options ...parquet.WriterOption) (body []byte, err error) {
	defer recovered(&err)
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[T](&buf, append([]parquet.WriterOption{
		schema,
		// The default names the library's version as the build recorded it, which differs between a test and a release.
		parquet.CreatedBy("falloff", "1.0.0", "lake"),
		parquet.Compression(&parquet.Zstd),
		parquet.MaxRowsPerRowGroup(rowGroupRows),
	}, options...)...)
	if _, err := w.Write(rows); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// inOrder gives rows and more rows in the order of day, then key. Keys are made once a row: making them costs more than
// comparing them. Rows are big and moved once.
func inOrder[T interface {
	Day() int32
	Key() string
}](rows []T, more []*T) []T {
	type place struct {
		day int32
		key string
		row *T
	}
	places := make([]place, 0, len(rows)+len(more))
	for i := range rows {
		places = append(places, place{rows[i].Day(), rows[i].Key(), &rows[i]})
	}
	for _, r := range more {
		places = append(places, place{(*r).Day(), (*r).Key(), r})
	}
	byDayAndKey := func(a, b place) int {
		if d := cmp.Compare(a.day, b.day); d != 0 {
			return d
		}
		return strings.Compare(a.key, b.key)
	}
	if !slices.IsSortedFunc(places, byDayAndKey) {
		slices.SortFunc(places, byDayAndKey)
	} else if len(more) == 0 {
		return rows
	}
	sorted := make([]T, len(places))
	for i, p := range places {
		sorted[i] = *p.row
	}
	return sorted
}

// decode reads all rows of a file. A column that the file lacks comes as null or zero; one of another type is an error.
func (t Table[T]) decode(body []byte) (rows []T, err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	if err := t.compatible(f.Schema()); err != nil {
		return nil, err
	}
	return readParquet[T](f)
}

// openParquet reads the footer of a file and nothing else.
func openParquet(r io.ReaderAt, size int64) (*parquet.File, error) {
	f, err := parquet.OpenFile(r, size, parquet.SkipMagicBytes(true), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return f, nil
}

func readParquet[T any](f *parquet.File) ([]T, error) {
	r := parquet.NewGenericReader[T](f)
	defer func() { _ = r.Close() }()
	rows := make([]T, f.NumRows())
	for n := 0; n < len(rows); {
		read, err := r.Read(rows[n:])
		n += read
		if err != nil && (!errors.Is(err, io.EOF) || n < len(rows)) {
			return nil, fmt.Errorf("%w: after %d of %d rows: %w", ErrDamaged, n, len(rows), err)
		}
	}
	return rows, nil
}

// compatible refuses a file that gives one of our columns another type.
func (t Table[T]) compatible(file *parquet.Schema) error {
	for _, c := range t.columns {
		ours, _ := t.schema.Lookup(c.name)
		theirs, found := file.Lookup(c.name)
		if !found {
			continue
		}
		if !theirs.Node.Leaf() || ours.Node.Type().String() != theirs.Node.Type().String() {
			return fmt.Errorf("column %s of %s has the type %v in the lake and %v in this program: use the version of falloff that wrote it, or a newer one",
				c.name, t.name, theirs.Node.Type(), ours.Node.Type())
		}
	}
	return nil
}

// eachLight calls a function for every row of a file, with only those columns filled that identify, date and observe it. The
// other columns are not read. The row is reused.
func (t Table[T]) eachLight(f *parquet.File, visit func(row *T) error) (err error) {
	defer recovered(&err)
	if err := t.compatible(f.Schema()); err != nil {
		return err
	}
	row := new(T)
	fields := reflect.ValueOf(row).Elem()
	for _, group := range f.RowGroups() {
		numbers := make([][]int64, len(t.light))
		texts := make([][]string, len(t.light))
		for n, i := range t.light {
			c := t.columns[i]
			leaf, found := f.Schema().Lookup(c.name)
			if !found {
				return fmt.Errorf("%w: it has no column %s", ErrDamaged, c.name)
			}
			chunk := group.ColumnChunks()[leaf.ColumnIndex]
			if err := eachValue(chunk, func(v parquet.Value) {
				if c.kind == reflect.String {
					texts[n] = append(texts[n], string(v.ByteArray()))
				} else {
					numbers[n] = append(numbers[n], integer(v))
				}
			}); err != nil {
				return fmt.Errorf("%w: column %s: %w", ErrDamaged, c.name, err)
			}
			if got := len(texts[n]) + len(numbers[n]); int64(got) != group.NumRows() {
				return fmt.Errorf("%w: column %s has %d values in %d rows", ErrDamaged, c.name, got, group.NumRows())
			}
		}
		for r := range int(group.NumRows()) {
			for n, i := range t.light {
				c := t.columns[i]
				if c.kind == reflect.String {
					fields.Field(c.field).SetString(texts[n][r])
				} else {
					fields.Field(c.field).SetInt(numbers[n][r])
				}
			}
			if err := visit(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachValue calls a function for every value of a column chunk. The value is valid during the call.
func eachValue(chunk parquet.ColumnChunk, visit func(parquet.Value)) error {
	pages := chunk.Pages()
	defer func() { _ = pages.Close() }()
	var buf [1024]parquet.Value
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		values := page.Values()
		for {
			n, err := values.ReadValues(buf[:])
			for _, v := range buf[:n] {
				visit(v)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				parquet.Release(page)
				return err
			}
		}
		parquet.Release(page)
	}
}

// wholeNumber says whether a column holds plain integers, no decimals.
func wholeNumber(t parquet.Type) bool {
	if k := t.Kind(); k != parquet.Int32 && k != parquet.Int64 {
		return false
	}
	logical := t.LogicalType()
	if logical == nil || logical.Value == nil {
		return true
	}
	_, integer := logical.Value.(*format.IntType)
	return integer
}

// integer is the value of an integer or day column.
func integer(v parquet.Value) int64 {
	if v.Kind() == parquet.Int32 {
		return int64(v.Int32())
	}
	return v.Int64()
}

// recovered turns a panic into an error: the Parquet library panics on some damaged files.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: the Parquet library gave up: %v", ErrDamaged, r)
	}
}
