package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
)

// replacement is what takes an object's place, without somebody's rows.
type replacement struct {
	Object
	stored []byte
	// keys are those of the rows that it lacks; of a mart, whose rows have none, removed counts them.
	keys    []string
	removed int64
}

// replace makes of an object what takes its place. It lies in the same folder, under the same key.
func (c *Clinic) replace(ctx context.Context, o Object, tables map[string]AnyTable, s sought) (replacement, error) {
	folder, rest, _ := strings.Cut(o.Path, "/")
	name, rest, _ := strings.Cut(rest, "/")
	switch {
	case folder == "data" && strings.HasPrefix(rest, "month="):
		table := tables[name]
		if table == nil {
			return replacement{}, fmt.Errorf("there is a dataset %s that this program cannot rewrite: use the version of falloff that wrote it, or a newer one", name)
		}
		return table.without(ctx, c, o, s)
	case folder == "marts":
		return c.martWithout(ctx, o, s)
	}
	return replacement{}, fmt.Errorf("object %s holds a patient's pseudonym, and none belongs there: use a newer falloff", o.Path)
}

// under is the clinic as a writer that has one key, so that what takes an object's place is under that object's own.
func (c *Clinic) under(key string) (*Clinic, error) {
	d, err := c.dataKey(key)
	if err != nil {
		return nil, err
	}
	writer := *c
	writer.keys = &Keys{newest: d, byID: c.keys.byID}
	return &writer, nil
}

// without makes an object of the rows of another that have none of the texts.
func (t Table[T]) without(ctx context.Context, c *Clinic, o Object, s sought) (out replacement, err error) {
	rows, err := t.wholly(ctx, c, o)
	if err != nil {
		return out, err
	}
	kept := make([]T, 0, len(rows))
	for i := range rows {
		if t.has(reflect.ValueOf(&rows[i]).Elem(), s) {
			out.keys = append(out.keys, rows[i].Key())
		} else {
			kept = append(kept, rows[i])
		}
	}
	out.removed = int64(len(out.keys))
	kept = inOrder(kept, nil)
	folder := path.Dir(o.Path) + "/"
	if o.isTable() {
		writer, err := c.under(o.Key)
		if err != nil {
			return out, err
		}
		file, err := t.encryptTable(writer, folder, kept)
		out.Object, out.stored = file.Object, file.body
		out.Bytes = int64(len(file.body))
		out.Sum, out.Month = sumOf(file.body), o.Month
		return out, err
	}
	body, err := t.encodeSorted(kept)
	if err != nil {
		return out, err
	}
	out.Object = Object{
		Path: folder + c.hash(body) + parquetEnding, Month: o.Month, Bytes: int64(len(body)), Rows: int64(len(kept)),
		Sealed: o.Sealed, Schema: t.hash, Totals: t.totals(kept),
	}
	out.stored, err = c.reads(out.Object).seal(body)
	return out, err
}

// has says whether any text of a row has one of the texts in it.
func (t Table[T]) has(row reflect.Value, s sought) bool {
	for _, c := range t.columns {
		if c.kind != reflect.String {
			continue
		}
		cell := row.Field(c.field)
		if c.optional {
			if cell.IsNil() {
				continue
			}
			cell = cell.Elem()
		}
		if s.inText(cell.String()) {
			return true
		}
	}
	return false
}

// martWithout is without for what the models made, whose columns this package does not know.
func (c *Clinic) martWithout(ctx context.Context, o Object, s sought) (out replacement, err error) {
	defer recovered(&err)
	folder := path.Dir(o.Path) + "/"
	if !o.isTable() {
		body, err := c.fetch(ctx, o)
		if err != nil {
			return out, err
		}
		body, out.removed, err = s.rowsWithout(body)
		if err != nil {
			return out, fmt.Errorf("object %s: %w", o.Path, err)
		}
		described, err := describe(body)
		out.Object, out.stored = described, body
		out.Path, out.Bytes = folder+c.hash(body)+parquetEnding, int64(len(body))
		return out, err
	}
	writer, err := c.under(o.Key)
	if err != nil {
		return out, err
	}
	f, err := c.openStored(ctx, o)
	if err != nil {
		return out, err
	}
	file, err := writer.encryptRows(folder, f.schema, f.dictionaries(), s.recordsWithout(f.records(ctx, nil), f.schema, &out.removed))
	out.Object, out.stored = file.Object, file.body
	out.Bytes, out.Sum = int64(len(file.body)), sumOf(file.body)
	return out, err
}

// rowsWithout writes a plain Parquet file anew, with the same columns, without the rows that have one of the texts.
func (s sought) rowsWithout(body []byte) (kept []byte, removed int64, err error) {
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, 0, err
	}
	var out bytes.Buffer
	w := parquet.NewWriter(&out, f.Schema(), parquet.CreatedBy("falloff", "1.0.0", "lake"), parquet.Compression(&parquet.Zstd),
		parquet.MaxRowsPerRowGroup(rowGroupRows))
	reader := parquet.NewReader(f)
	defer func() { _ = reader.Close() }()
	rows := make([]parquet.Row, 1024)
	for {
		n, err := reader.ReadRows(rows)
		stay := slices.DeleteFunc(slices.Clone(rows[:n]), func(row parquet.Row) bool {
			return slices.ContainsFunc(row, func(v parquet.Value) bool {
				return (v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray) && s.in(v.ByteArray())
			})
		})
		removed += int64(n - len(stay))
		if _, err := w.WriteRows(stay); err != nil {
			return nil, 0, err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, 0, err
	}
	return out.Bytes(), removed, nil
}

// recordsWithout gives records without the rows that have one of the texts. A record is valid until the next.
func (s sought) recordsWithout(records iter.Seq2[arrow.RecordBatch, error], schema *arrow.Schema, removed *int64) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		*removed = 0
		for record, err := range records {
			if err != nil {
				yield(nil, err)
				return
			}
			kept, err := s.recordWithout(record, schema, removed)
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(kept, nil)
			kept.Release()
			if !more {
				return
			}
		}
	}
}

func (s sought) recordWithout(record arrow.RecordBatch, schema *arrow.Schema, removed *int64) (arrow.RecordBatch, error) {
	goes := make([]bool, record.NumRows())
	for i, field := range record.Schema().Fields() {
		if !isText(field.Type) {
			continue
		}
		values := record.Column(i)
		at := textAt(values)
		for r := range goes {
			goes[r] = goes[r] || values.IsValid(r) && s.inText(at(r))
		}
	}
	columns := make([]arrow.Array, record.NumCols())
	rows := int64(0)
	for i := range columns {
		var runs []arrow.Array
		rows = 0
		for from := 0; from < len(goes); {
			to := from
			for to < len(goes) && goes[to] == goes[from] {
				to++
			}
			if !goes[from] {
				runs = append(runs, array.NewSlice(record.Column(i), int64(from), int64(to)))
				rows += int64(to - from)
			}
			from = to
		}
		if len(runs) == 0 {
			runs = append(runs, array.NewSlice(record.Column(i), 0, 0))
		}
		joined, err := array.Concatenate(runs, memory.DefaultAllocator)
		for _, run := range runs {
			run.Release()
		}
		if err != nil {
			return nil, err
		}
		defer joined.Release()
		columns[i] = joined
	}
	*removed += int64(len(goes)) - rows
	return array.NewRecordBatch(schema, columns, rows), nil
}
