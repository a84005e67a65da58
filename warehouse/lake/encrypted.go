package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Encrypted Parquet is written and read by arrow-go, and read by DuckDB where it lies.
//
// BUG(lake): DuckDB 1.5 miscounts the pages of an encrypted column that has more than one, and then takes sound bytes for
// damaged ones. So a column has one page of a row group here, however long it gets.
const onePage = 1 << 30

// boundTo is the entry of an encrypted file's footer that says whose bytes they are. The footer is authenticated and so is
// every page as that footer's own: a file in another's place says so itself.
const boundTo = "falloff.object"

// encryptedFile is the making of one.
type encryptedFile struct {
	Object
	body []byte
}

// encryptRows writes records as one encrypted file of a folder. What a commit says of it is in the Object, but for its month.
func (c *Clinic) encryptRows(folder string, schema *arrow.Schema, dictionaries map[string]bool, records iter.Seq2[arrow.RecordBatch, error]) (out encryptedFile, err error) {
	defer recovered(&err)
	if c.keys == nil {
		return out, fmt.Errorf("encrypt rows of clinic %s: %w", c.id, ErrSealed)
	}
	key := c.keys.newest
	form, err := newCanonical(schema)
	if err != nil {
		return out, err
	}
	properties := []parquet.WriterProperty{
		parquet.WithCreatedBy("falloff version 1.0.0 (build lake)"),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithMaxRowGroupLength(rowGroupRows), parquet.WithDataPageSize(onePage), parquet.WithDictionaryPageSizeLimit(onePage),
		parquet.WithDictionaryDefault(false),
		parquet.WithEncryptionProperties(parquet.NewFileEncryptionProperties(key.footer.Text(), parquet.WithFooterKeyMetadata(key.id))),
	}
	for name, repeats := range dictionaries {
		properties = append(properties, parquet.WithDictionaryFor(name, repeats))
	}
	out.Totals = noTotals(schema)
	var body bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &body, parquet.NewWriterProperties(properties...), pqarrow.DefaultWriterProps())
	if err != nil {
		return out, fmt.Errorf("write encrypted rows: %w", err)
	}
	for record, err := range records {
		if err == nil {
			err = form.add(record)
		}
		if err == nil && record.NumRows() > 0 {
			addTotals(out.Totals, record)
			err = w.Write(record)
		}
		if err != nil {
			return out, fmt.Errorf("write encrypted rows: %w", err)
		}
	}
	out.Path = folder + c.hashUnder(key, formRows, form.form()) + parquetEnding
	out.Rows, out.Schema, out.Key = form.rows, schemaTextHash(form.schema), key.id
	if err := w.AppendKeyValueMetadata(boundTo, c.name(out.Path)); err != nil {
		return out, fmt.Errorf("write encrypted rows: %w", err)
	}
	if err := w.Close(); err != nil {
		return out, fmt.Errorf("write encrypted rows: %w", err)
	}
	out.body = body.Bytes()
	return out, nil
}

// sealedFile is an opened encrypted file, whose footer was decrypted and is that of the object.
type sealedFile struct {
	of     Object
	reader *file.Reader
	rows   *pqarrow.FileReader
	schema *arrow.Schema
}

// openSealed opens the stored bytes of an encrypted object.
func (c *Clinic) openSealed(o Object, stored parquet.ReaderAtSeeker) (f *sealedFile, err error) {
	defer recovered(&err)
	key, err := c.dataKey(o.Key)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*sealedFile, error) {
		return nil, fmt.Errorf("object %s of clinic %s is %w: %w", o.Path, c.id, ErrDamaged, err)
	}
	properties := parquet.NewReaderProperties(nil)
	properties.MaxCompressedPageSize, properties.MaxUncompressedPageSize = onePage, onePage
	properties.FileDecryptProps = parquet.NewFileDecryptionProperties(parquet.WithFooterKey(key.footer.Text()))
	f = &sealedFile{of: o}
	if f.reader, err = file.NewParquetReader(stored, file.WithReadProps(properties)); err != nil {
		return fail(err)
	}
	if is := f.reader.MetaData().KeyValueMetadata().FindValue(boundTo); is == nil || *is != c.name(o.Path) {
		return fail(errors.New("its bytes are those of another object"))
	}
	if f.reader.NumRows() != o.Rows && !o.erased {
		return fail(fmt.Errorf("%d rows, the commit says %d", f.reader.NumRows(), o.Rows))
	}
	if f.rows, err = pqarrow.NewFileReader(f.reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator); err != nil {
		return fail(err)
	}
	if f.schema, err = f.rows.Schema(); err != nil {
		return fail(err)
	}
	f.schema = bare(f.schema)
	return f, nil
}

// openStored fetches and opens an encrypted object.
func (c *Clinic) openStored(ctx context.Context, o Object) (*sealedFile, error) {
	o, stored, err := c.stored(ctx, o)
	if err != nil {
		return nil, err
	}
	f, err := c.openSealed(o, bytes.NewReader(stored))
	if err == nil {
		c.keep(o, stored)
	}
	return f, err
}

// records gives the file's rows, of some columns or of all where none are named, a row group at a time. A record is valid
// until the next.
func (f *sealedFile) records(ctx context.Context, columns []string) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		var wanted []int
		for _, name := range columns {
			at := f.schema.FieldIndices(name)
			if len(at) != 1 {
				yield(nil, fmt.Errorf("%w: it has no column %s", ErrDamaged, name))
				return
			}
			wanted = append(wanted, at[0])
		}
		slices.Sort(wanted)
		for group := range f.reader.NumRowGroups() {
			record, err := f.group(ctx, wanted, group)
			if err != nil {
				yield(nil, fmt.Errorf("object %s: %w", f.of.Path, err))
				return
			}
			more := yield(record, nil)
			record.Release()
			if !more {
				return
			}
		}
	}
}

// group reads one row group.
func (f *sealedFile) group(ctx context.Context, columns []int, number int) (record arrow.RecordBatch, err error) {
	defer recovered(&err)
	r, err := f.rows.GetRecordReader(ctx, columns, []int{number})
	if err != nil {
		return nil, fmt.Errorf("%w: row group %d: %w", ErrDamaged, number, err)
	}
	defer r.Release()
	if !r.Next() {
		return nil, fmt.Errorf("%w: row group %d: %w", ErrDamaged, number, cmp.Or(r.Err(), io.ErrUnexpectedEOF))
	}
	record = r.RecordBatch()
	if want := f.reader.MetaData().RowGroup(number).NumRows(); record.NumRows() != want {
		return nil, fmt.Errorf("%w: row group %d has %d rows of %d", ErrDamaged, number, record.NumRows(), want)
	}
	record.Retain()
	return record, nil
}

// eachRecord gives all rows to a function, record by record, and compares what they are with the object's name.
func (c *Clinic) eachRecord(ctx context.Context, f *sealedFile, visit func(arrow.RecordBatch) error) error {
	form, err := newCanonical(f.schema)
	if err != nil {
		return fmt.Errorf("object %s of clinic %s: %w", f.of.Path, c.id, err)
	}
	for record, err := range f.records(ctx, nil) {
		if err == nil {
			err = form.add(record)
		}
		if err == nil {
			err = visit(record)
		}
		if err != nil {
			return err
		}
	}
	if c.key == nil {
		return nil
	}
	key, err := c.dataKey(f.of.Key)
	if err != nil {
		return err
	}
	if is := c.hashUnder(key, formRows, form.form()) + parquetEnding; is != path.Base(f.of.Path) {
		return fmt.Errorf("object %s of clinic %s is %w: its rows do not have this name (or the naming key is another clinic's)", f.of.Path, c.id, ErrDamaged)
	}
	return nil
}

// nothing looks at no record: what there is to it is that all of them were read.
func nothing(arrow.RecordBatch) error { return nil }

// encryptTable writes a table's rows, which are in order, as an encrypted file.
func (t Table[T]) encryptTable(c *Clinic, folder string, rows []T) (encryptedFile, error) {
	schema, err := t.arrowSchema()
	if err != nil {
		return encryptedFile{}, err
	}
	dictionaries := map[string]bool{}
	for _, column := range t.columns {
		dictionaries[column.name] = column.dictionary
	}
	builder := newBuilder(schema)
	defer builder.Release()
	out, err := c.encryptRows(folder, schema, dictionaries, func(yield func(arrow.RecordBatch, error) bool) {
		for part := range slices.Chunk(rows, rowGroupRows) {
			record := t.record(builder, part)
			more := yield(record, nil)
			record.Release()
			if !more {
				return
			}
		}
	})
	if err != nil {
		return out, fmt.Errorf("table %s: %w", t.name, err)
	}
	return out, nil
}

// loadSealed reads the rows of an encrypted object: all columns, verified against its name, or some of them, authenticated by
// the encryption alone.
func (t Table[T]) loadSealed(ctx context.Context, c *Clinic, o Object, columns []string) ([]T, error) {
	f, err := c.openStored(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := t.compatibleArrow(f.schema); err != nil {
		return nil, err
	}
	rows := make([]T, 0, o.Rows)
	add := func(record arrow.RecordBatch) error {
		from := len(rows)
		rows = slices.Grow(rows, int(record.NumRows()))[:from+int(record.NumRows())]
		return t.fill(rows[from:], record)
	}
	if columns == nil {
		err = c.eachRecord(ctx, f, add)
		return rows, err
	}
	for record, err := range f.records(ctx, columns) {
		if err == nil {
			err = add(record)
		}
		if err != nil {
			return nil, fmt.Errorf("object %s of clinic %s: %w", o.Path, c.id, err)
		}
	}
	return rows, nil
}

// encryptParquet writes a plain Parquet file's rows as an encrypted one: what the models made.
func (c *Clinic) encryptParquet(ctx context.Context, folder string, plain []byte) (out encryptedFile, err error) {
	defer recovered(&err)
	reader, err := file.NewParquetReader(bytes.NewReader(plain))
	if err != nil {
		return out, fmt.Errorf("it is not a Parquet file: %w: %w", ErrDamaged, err)
	}
	rows, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	schema, err := rows.Schema()
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return c.encryptFile(ctx, folder, &sealedFile{reader: reader, rows: rows, schema: bare(schema)})
}

// bare is a schema without a reader's own notes.
func bare(s *arrow.Schema) *arrow.Schema {
	fields := slices.Clone(s.Fields())
	for i := range fields {
		fields[i].Metadata = arrow.Metadata{}
	}
	return arrow.NewSchema(fields, nil)
}

// dictionaries are the columns whose values may repeat, of a file that no table describes.
func (f *sealedFile) dictionaries() map[string]bool {
	out := map[string]bool{}
	for _, field := range f.schema.Fields() {
		out[field.Name] = field.Type.ID() == arrow.STRING
	}
	return out
}

// encryptFile writes an opened file's rows as an encrypted one.
func (c *Clinic) encryptFile(ctx context.Context, folder string, f *sealedFile) (encryptedFile, error) {
	return c.encryptRows(folder, f.schema, f.dictionaries(), func(yield func(arrow.RecordBatch, error) bool) {
		for record, err := range f.records(ctx, nil) {
			if err != nil {
				yield(nil, err)
				return
			}
			bare := array.NewRecordBatch(f.schema, record.Columns(), record.NumRows())
			more := yield(bare, nil)
			bare.Release()
			if !more {
				return
			}
		}
	})
}

// describeSealed reads what a commit says of an encrypted file out of the file, verified against its name.
func (c *Clinic) describeSealed(ctx context.Context, o Object) (is Object, err error) {
	f, err := c.openStored(ctx, o)
	if err != nil {
		return Object{}, err
	}
	text, err := schemaText(f.schema)
	if err != nil {
		return Object{}, err
	}
	is.Rows, is.Schema, is.Totals = f.reader.NumRows(), schemaTextHash(text), noTotals(f.schema)
	is.Path, is.erased = f.of.Path, f.of.erased
	return is, c.eachRecord(ctx, f, func(record arrow.RecordBatch) error {
		addTotals(is.Totals, record)
		return nil
	})
}
