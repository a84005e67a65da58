package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strconv"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// rows reads the rows of a dataset's files. at follows where it is.
func (t typed[T]) rows(ctx context.Context, o *Opened, d Dataset, at *CellError) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, f := range d.Files {
			at.File, at.Row, at.Column = f.Path, 0, ""
			for row, err := range t.fileRows(o, f, at) {
				if err == nil {
					err = t.judge(&row, o.Manifest.KeyVersion, at)
				}
				if err == nil {
					err = ctx.Err()
				}
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

func (t typed[T]) fileRows(o *Opened, f File, at *CellError) iter.Seq2[T, error] {
	if o.Manifest.Form == Parquet {
		return t.parquetRows(o, f, at)
	}
	return func(yield func(T, error) bool) {
		n := int64(0)
		err := o.stream(f, func(in *bufio.Reader) error {
			next := t.jsonRow(in, at)
			if o.Manifest.Form == CSV {
				var err error
				if next, err = t.csvRow(in, at); err != nil {
					return at.of(err)
				}
			}
			for {
				var row T
				err := next(reflect.ValueOf(&row).Elem())
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return at.of(err)
				}
				if n++; !yield(row, nil) {
					return errStopped
				}
			}
		})
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(*new(T), err)
		case n != f.Rows:
			at.Row = 0
			yield(*new(T), at.of(fmt.Errorf("it has %d rows, the manifest says %d", n, f.Rows)))
		}
	}
}

var errStopped = errors.New("nobody asks for more")

// of is the error about where the reading is.
func (e *CellError) of(problem error) error {
	if _, already := errors.AsType[*CellError](problem); already {
		return problem
	}
	return &CellError{File: e.File, Row: e.Row, Column: e.Column, Problem: problem}
}

// stream reads a file from its beginning to its end, and compares its digest at the end.
func (o *Opened) stream(f File, read func(in *bufio.Reader) error) error {
	file, err := o.open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	counted := &digesting{sum: sha256.New(), to: io.Discard}
	in := bufio.NewReaderSize(io.TeeReader(io.LimitReader(file, f.Bytes+1), counted), 1<<16)
	if err := read(in); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return f.matches(counted)
}

// csvRow reads the header, and gives what fills a row from the next record.
func (t typed[T]) csvRow(in *bufio.Reader, at *CellError) (func(row reflect.Value) error, error) {
	r := &csvReader{in: in}
	at.Row = 1
	header, err := r.record()
	if errors.Is(err, io.EOF) {
		err = errors.New("it has no header")
	}
	if err != nil {
		return nil, err
	}
	if err := t.sameColumns(header, at); err != nil {
		return nil, err
	}
	return func(row reflect.Value) error {
		at.Row, at.Column = r.row+1, ""
		record, err := r.record()
		if err != nil {
			return err
		}
		if len(record) != len(t.columns) {
			return fmt.Errorf("it has %d cells, the header %d", len(record), len(t.columns))
		}
		for i, c := range t.columns {
			at.Column = c.Name
			value, null := record[i], c.Nullable && record[i] == ""
			if c.isText() {
				if value, null, err = text(record[i], c.Nullable); err != nil {
					return err
				}
			}
			if err := c.set(row, value, null); err != nil {
				return err
			}
		}
		at.Column = ""
		return nil
	}, nil
}

// sameColumns compares a header with the columns: their order is free in no file of ours.
func (t typed[T]) sameColumns(header []string, at *CellError) error {
	want := t.names()
	for i, name := range header {
		if !slices.Contains(want, name) {
			at.Column = name
			return fmt.Errorf("%s has no such column", t.Name())
		}
		if slices.Contains(header[:i], name) {
			at.Column = name
			return errors.New("the column is there twice")
		}
	}
	for _, name := range want {
		if !slices.Contains(header, name) {
			at.Column = name
			return errors.New("the column is missing")
		}
	}
	if !slices.Equal(header, want) {
		return errors.New("the columns are not in the order of the dictionary")
	}
	return nil
}

// jsonRow gives what fills a row from the next line.
func (t typed[T]) jsonRow(in *bufio.Reader, at *CellError) func(row reflect.Value) error {
	l := &lines{in: in}
	return func(row reflect.Value) error {
		at.Row, at.Column = l.row+1, ""
		values, err := l.next()
		if err != nil {
			return err
		}
		for _, c := range t.columns {
			at.Column = c.Name
			m, there := values[c.Name]
			switch {
			case !there:
				return errors.New("the column is missing")
			case !m.null && m.kind != c.want():
				return fmt.Errorf("it is not of the type %s", c.Type)
			}
			if err := c.set(row, m.text, m.null); err != nil {
				return err
			}
			delete(values, c.Name)
		}
		for name := range values {
			at.Column = name
			return fmt.Errorf("%s has no such column", t.Name())
		}
		at.Column = ""
		return nil
	}
}

func (t typed[T]) parquetRows(o *Opened, f File, at *CellError) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		body, err := o.read(f)
		if err != nil {
			yield(*new(T), err)
			return
		}
		rows, err := t.DecodeExactly(body, f.Rows)
		if err != nil {
			yield(*new(T), at.of(err))
			return
		}
		for i := range rows {
			at.Row = int64(i) + 1
			if !yield(rows[i], nil) {
				return
			}
		}
	}
}

// judge holds a row to what its type alone does not say.
func (t typed[T]) judge(row *T, keyVersion int, at *CellError) error {
	v := reflect.ValueOf(row).Elem()
	for _, c := range t.columns {
		if _, _, err := c.format(v); err != nil {
			at.Column = c.Name
			return at.of(err)
		}
		if err := c.judge(v, keyVersion); err != nil {
			at.Column = c.Name
			return at.of(err)
		}
	}
	return nil
}

var removedColumns = []string{"unit", "day", "effective", "filled", "digest"}

func (f *Folder) writeRemoved(name string, removed []lake.Removed) (File, error) {
	return f.write(name, int64(len(removed)), func(w *bufio.Writer) error {
		if err := (csvWriter{w}).record(removedColumns); err != nil {
			return err
		}
		for _, r := range removed {
			if err := (csvWriter{w}).record([]string{
				hex.EncodeToString(r.Unit[:]), strconv.Itoa(int(r.Day)), strconv.Itoa(int(r.Effective)), strconv.Itoa(int(r.Filled)),
				hex.EncodeToString(r.Digest[:]),
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (o *Opened) readRemoved(f *File) (out []lake.Removed, err error) {
	if f == nil {
		return nil, nil
	}
	at := CellError{File: f.Path}
	err = o.stream(*f, func(in *bufio.Reader) error {
		r := &csvReader{in: in}
		header, err := r.record()
		if err != nil || !slices.Equal(header, removedColumns) {
			at.Row = 1
			return at.of(errors.New("its header is not that of an export"))
		}
		for {
			record, err := r.record()
			if errors.Is(err, io.EOF) {
				return nil
			}
			at.Row = r.row
			if err != nil {
				return at.of(err)
			}
			one, ok := removedOf(record)
			if !ok {
				return at.of(errors.New("it is not written as an export writes it"))
			}
			out = append(out, one)
		}
	})
	if err == nil && int64(len(out)) != f.Rows {
		err = fmt.Errorf("%s: it has %d rows, the manifest says %d", f.Path, len(out), f.Rows)
	}
	return out, err
}

func removedOf(record []string) (r lake.Removed, ok bool) {
	if len(record) != len(removedColumns) {
		return r, false
	}
	for i, into := range map[int][]byte{0: r.Unit[:], 4: r.Digest[:]} {
		if len(record[i]) != 2*len(into) {
			return r, false
		}
		if n, err := hex.Decode(into, []byte(record[i])); err != nil || n != len(into) {
			return r, false
		}
	}
	for i, into := range map[int]*int32{1: &r.Day, 2: &r.Effective, 3: &r.Filled} {
		n, err := strconv.ParseInt(record[i], 10, 32)
		if err != nil {
			return r, false
		}
		*into = int32(n)
	}
	return r, true
}
