package lake

import (
	"bytes"
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Said is what an object that the commit names says to whoever has its keys: its plain bytes, or of encrypted rows every text
// in them, a line each. It is for searching, not for reading.
func (s *Snapshot) Said(ctx context.Context, o Object) ([]byte, error) {
	said, err := s.said(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open object %s of clinic %s: %w", o.Path, s.clinic.id, err)
	}
	return said, nil
}

func (s *Snapshot) said(ctx context.Context, o Object) ([]byte, error) {
	if !o.isTable() {
		return s.clinic.fetch(ctx, o)
	}
	f, err := s.clinic.openStored(ctx, o)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = s.clinic.eachRecord(ctx, f, func(record arrow.RecordBatch) error {
		for _, column := range record.Columns() {
			texts(&out, column)
		}
		return nil
	})
	return out.Bytes(), err
}

// texts writes every value of a column of texts or bytes, a line each.
func texts(out *bytes.Buffer, column arrow.Array) {
	switch c := column.(type) {
	case *array.String:
		for i := range c.Len() {
			out.WriteString(c.Value(i) + "\n")
		}
	case *array.Binary:
		for i := range c.Len() {
			out.Write(c.Value(i))
			out.WriteByte('\n')
		}
	case *array.FixedSizeBinary:
		for i := range c.Len() {
			out.Write(c.Value(i))
			out.WriteByte('\n')
		}
	case *array.Dictionary:
		texts(out, c.Dictionary())
	case *array.List:
		texts(out, c.ListValues())
	case *array.Struct:
		for i := range c.NumField() {
			texts(out, c.Field(i))
		}
	}
}
