package analysis

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// rows gives the wanted cells of a file as text, one row after the other. An empty cell, and null, is "".
type rows interface {
	// next gives the row and its number; io.EOF after the last. The slice is valid until the next call.
	next() ([]string, int64, error)
	close()
}

// openRows opens a file and finds the columns; present says which of the optional ones are there.
func openRows(ctx context.Context, name string, needed, optional []string) (_ rows, present map[string]bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, &InputError{File: name, Text: plainReason(err) + ": name a CSV or Parquet file that can be read"}
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	buffered := bufio.NewReaderSize(f, 1<<16)
	start, err := buffered.Peek(4)
	switch {
	case errors.Is(err, io.EOF) && len(start) == 0:
		return nil, nil, &InputError{File: name, Text: "the file is empty: it needs a header line with " + strings.Join(needed, ",")}
	case err != nil && !errors.Is(err, io.EOF):
		return nil, nil, &InputError{File: name, Text: plainReason(err) + ": name a CSV or Parquet file that can be read"}
	case string(start) == "PAR1":
		return openParquet(ctx, f, name, needed, optional)
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		return nil, nil, &InputError{File: name, Text: "the file is UTF-16: save it as CSV in UTF-8"}
	default:
		return openCSV(f, buffered, name, needed, optional)
	}
}

// plainReason is what the system says, without the path that is named already.
func plainReason(err error) string {
	if failure, ok := errors.AsType[*os.PathError](err); ok {
		return failure.Err.Error()
	}
	return err.Error()
}

// placesOf finds each wanted column in a header; -1 is an optional one that is not there.
func placesOf(name string, header, needed, optional []string) ([]int, map[string]bool, error) {
	plain := make([]string, len(header))
	for i, column := range header {
		plain[i] = strings.ToLower(strings.TrimSpace(column))
	}
	present := map[string]bool{}
	var places []int
	for _, column := range slices.Concat(needed, optional) {
		at := slices.Index(plain, column)
		if at >= 0 && slices.Contains(plain[at+1:], column) {
			return nil, nil, &InputError{File: name, Column: column, Text: "the header has it twice: keep the one that is meant"}
		}
		if at < 0 && slices.Contains(needed, column) {
			hint := "it needs the columns " + strings.Join(needed, ",")
			if len(header) == 1 && strings.ContainsAny(header[0], ";\t|") {
				hint = "cells are parted by commas; " + hint
			}
			return nil, nil, &InputError{File: name, Column: column, Text: "there is no such column in the header: " + hint}
		}
		places = append(places, at)
		present[column] = at >= 0
	}
	return places, present, nil
}

// csvRows reads RFC 4180.
type csvRows struct {
	file   *os.File
	name   string
	reader *csv.Reader
	width  int
	places []int
	out    []string
}

func openCSV(f *os.File, from *bufio.Reader, name string, needed, optional []string) (rows, map[string]bool, error) {
	if start, _ := from.Peek(3); string(start) == "\ufeff" {
		if _, err := from.Discard(3); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	r := &csvRows{file: f, name: name, reader: csv.NewReader(from)}
	r.reader.ReuseRecord = true
	r.reader.FieldsPerRecord = -1
	header, err := r.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, &InputError{File: name, Text: "the file is empty: it needs a header line with " + strings.Join(needed, ",")}
	}
	if err != nil {
		return nil, nil, r.describe(err)
	}
	r.width = len(header)
	places, present, err := placesOf(name, header, needed, optional)
	if err != nil {
		return nil, nil, err
	}
	r.places, r.out = places, make([]string, len(places))
	return r, present, nil
}

func (r *csvRows) next() ([]string, int64, error) {
	record, err := r.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, 0, io.EOF
	}
	if err != nil {
		return nil, 0, r.describe(err)
	}
	line, _ := r.reader.FieldPos(0)
	if len(record) != r.width {
		return nil, 0, &InputError{File: r.name, Row: int64(line), Text: fmt.Sprintf(
			"the row has %d cells, the header %d: a comma within a cell needs quotation marks round the cell", len(record), r.width)}
	}
	for i, place := range r.places {
		r.out[i] = ""
		if place >= 0 {
			r.out[i] = record[place]
			if !utf8.ValidString(r.out[i]) {
				return nil, 0, &InputError{File: r.name, Row: int64(line), Text: "the row is not UTF-8: save the file as CSV in UTF-8"}
			}
		}
	}
	return r.out, int64(line), nil
}

// describe says where quotation marks went wrong.
func (r *csvRows) describe(err error) error {
	if failure, ok := errors.AsType[*csv.ParseError](err); ok {
		return &InputError{File: r.name, Row: int64(failure.StartLine), Text: fmt.Sprintf(
			"%v: a cell with a quotation mark, comma or line end is written in quotation marks, and marks within it twice", failure.Err)}
	}
	return &InputError{File: r.name, Text: plainReason(err)}
}

func (r *csvRows) close() { r.file.Close() }

// parquetRows reads record batches and writes their cells as a CSV would have them.
type parquetRows struct {
	file    *os.File
	name    string
	reader  pqarrow.RecordReader
	columns []string
	places  []int
	batch   arrow.RecordBatch
	at      int64
	number  int64
	out     []string
}

func openParquet(ctx context.Context, f *os.File, name string, needed, optional []string) (_ rows, _ map[string]bool, err error) {
	defer func() {
		if recover() != nil {
			err = &InputError{File: name, Text: "the file cannot be read as Parquet: it may be encrypted or damaged"}
		}
	}()
	unreadable := func(err error) error {
		return &InputError{File: name, Text: fmt.Sprintf("the file cannot be read as Parquet: %v", err)}
	}
	from, err := file.NewParquetReader(f)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	reader, err := pqarrow.NewFileReader(from, pqarrow.ArrowReadProperties{BatchSize: 1 << 16}, memory.DefaultAllocator)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	schema, err := reader.Schema()
	if err != nil {
		return nil, nil, unreadable(err)
	}
	var header []string
	for _, field := range schema.Fields() {
		header = append(header, field.Name)
	}
	places, present, err := placesOf(name, header, needed, optional)
	if err != nil {
		return nil, nil, err
	}
	for i, place := range places {
		if place >= 0 && !readable(schema.Field(place).Type) {
			return nil, nil, &InputError{File: name, Column: slices.Concat(needed, optional)[i], Text: fmt.Sprintf(
				"the type %s has no meaning here: store it as text, a number, a date or a boolean", schema.Field(place).Type)}
		}
	}
	batches, err := reader.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return nil, nil, unreadable(err)
	}
	return &parquetRows{file: f, name: name, reader: batches, columns: slices.Concat(needed, optional), places: places, out: make([]string, len(places))}, present, nil
}

// readable says that a type's values are texts, numbers, days or booleans.
func readable(kind arrow.DataType) bool {
	switch kind := kind.(type) {
	case *arrow.DictionaryType:
		return readable(kind.ValueType)
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType, *arrow.BooleanType, *arrow.Date32Type, *arrow.Date64Type, arrow.DecimalType:
		return true
	case *arrow.TimestampType:
		return kind.TimeZone == ""
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type, *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type,
		*arrow.Float32Type, *arrow.Float64Type, *arrow.NullType:
		return true
	default:
		return false
	}
}

func (r *parquetRows) next() (_ []string, _ int64, err error) {
	defer func() {
		if recover() != nil {
			err = &InputError{File: r.name, Text: "the file cannot be read as Parquet: it may be damaged"}
		}
	}()
	for r.batch == nil || r.at == r.batch.NumRows() {
		if !r.reader.Next() {
			if err := r.reader.Err(); err != nil && !errors.Is(err, io.EOF) {
				return nil, 0, &InputError{File: r.name, Text: fmt.Sprintf("the file cannot be read as Parquet: %v", err)}
			}
			return nil, 0, io.EOF
		}
		r.batch, r.at = r.reader.RecordBatch(), 0
	}
	r.number++
	for i, place := range r.places {
		r.out[i] = ""
		if place >= 0 {
			r.out[i] = cellText(r.batch.Column(place), int(r.at))
		}
	}
	r.at++
	return r.out, r.number, nil
}

func cellText(column arrow.Array, i int) string {
	if column.IsNull(i) {
		return ""
	}
	switch column := column.(type) {
	case *array.Dictionary:
		return cellText(column.Dictionary(), column.GetValueIndex(i))
	case *array.Timestamp:
		// A day that a program stored as an instant. One with hours is no day, and refused as such.
		kind, _ := column.DataType().(*arrow.TimestampType)
		return strings.TrimSuffix(column.Value(i).ToTime(kind.Unit).UTC().Format("2006-01-02 15:04:05.999999999"), " 00:00:00")
	default:
		return column.ValueStr(i)
	}
}

func (r *parquetRows) close() {
	r.reader.Release()
	r.file.Close()
}
