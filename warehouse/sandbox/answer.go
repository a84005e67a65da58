package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

// send writes an answer as an Arrow IPC stream, compressed by zstd, in parts. Its columns are of the types that named queries
// answer with, whatever DuckDB's are.
func send(ctx context.Context, out *bufio.Writer, reader array.RecordReader, request queryRequest) (err error) {
	columns := make([]column, reader.Schema().NumFields())
	fields := make([]arrow.Field, len(columns))
	for i, field := range reader.Schema().Fields() {
		columns[i] = columnOf(field.Type)
		fields[i] = arrow.Field{Name: field.Name, Type: columns[i].wire, Nullable: true, Metadata: arrow.NewMetadata(
			[]string{query.FieldTitle, query.FieldType}, []string{field.Name, string(columns[i].kind)})}
	}
	keys := slices.Sorted(maps.Keys(request.Metadata))
	values := make([]string, len(keys))
	for i, key := range keys {
		values[i] = request.Metadata[key]
	}
	metadata := arrow.NewMetadata(keys, values)
	schema := arrow.NewSchema(fields, &metadata)
	parts := &parts{out: out, left: request.Bytes}
	writer := ipc.NewWriter(parts, ipc.WithSchema(schema), ipc.WithZstd())
	defer func() { err = errors.Join(err, writer.Close()) }()
	var rows int64
	for reader.Next() {
		batch := reader.RecordBatch()
		if rows += batch.NumRows(); rows > request.Rows {
			return refuse(TooLarge, "group, filter, or say LIMIT", "the answer has more than %d rows", request.Rows)
		}
		if err := writeBatch(writer, schema, columns, batch); err != nil {
			return err
		}
	}
	if err := reader.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return errors.Join(parts.flush(), writeMessage(out, tellEnd, endAnswer{Rows: rows}))
}

func writeBatch(writer *ipc.Writer, schema *arrow.Schema, columns []column, batch arrow.RecordBatch) error {
	converted := make([]arrow.Array, len(columns))
	defer func() {
		for _, c := range converted {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, c := range columns {
		built, err := c.convert(batch.Column(i))
		if err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
		converted[i] = built
	}
	record := array.NewRecordBatch(schema, converted, batch.NumRows())
	defer record.Release()
	return writer.Write(record)
}

// parts cuts a stream into frames, and ends it where it becomes too long.
type parts struct {
	out  *bufio.Writer
	held []byte
	left int64
}

func (p *parts) Write(b []byte) (int, error) {
	if p.left -= int64(len(b)); p.left < 0 {
		return 0, refuse(TooLarge, "group, filter, or name fewer columns", "the answer has too many bytes")
	}
	p.held = append(p.held, b...)
	for len(p.held) >= largestPart {
		if err := writeFrame(p.out, tellPart, p.held[:largestPart]); err != nil {
			return 0, err
		}
		p.held = append(p.held[:0], p.held[largestPart:]...)
	}
	return len(b), nil
}

func (p *parts) flush() error {
	if len(p.held) == 0 {
		return nil
	}
	return writeFrame(p.out, tellPart, p.held)
}

// column is how one column travels.
type column struct {
	wire    arrow.DataType
	kind    query.ColumnType
	convert func(arrow.Array) (arrow.Array, error)
}

var instant = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

// columnOf finds how a type of DuckDB travels: numbers with a fraction, or too large for 64 bits, as floats, days at midnight UTC, and
// what has parts as text.
func columnOf(from arrow.DataType) column {
	switch from.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return column{arrow.PrimitiveTypes.Int64, query.Integer, each(array.NewInt64Builder, wholeNumber)}
	case arrow.UINT64, arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL128, arrow.DECIMAL256:
		return column{arrow.PrimitiveTypes.Float64, query.Number, each(array.NewFloat64Builder, fraction)}
	case arrow.BOOL:
		return column{arrow.FixedWidthTypes.Boolean, query.Flag, each(array.NewBooleanBuilder, func(a arrow.Array, i int) (bool, bool) {
			b, ok := a.(*array.Boolean)
			return ok && b.Value(i), ok
		})}
	case arrow.TIMESTAMP:
		return column{instant, query.Instant, each(newInstants, microseconds)}
	case arrow.DATE32:
		return column{instant, query.Day, each(newInstants, func(a arrow.Array, i int) (arrow.Timestamp, bool) {
			d, ok := a.(*array.Date32)
			if !ok {
				return 0, false
			}
			return arrow.Timestamp(int64(d.Value(i)) * 86_400_000_000), true
		})}
	default:
		return column{arrow.BinaryTypes.String, query.Text, each(array.NewStringBuilder, func(a arrow.Array, i int) (string, bool) {
			return a.ValueStr(i), true
		})}
	}
}

func newInstants(mem memory.Allocator) *array.TimestampBuilder {
	return array.NewTimestampBuilder(mem, instant)
}

// each makes a column of the values that read gives; what it does not know is an error, not a null.
func each[V any, B interface {
	array.Builder
	Append(value V)
}](builder func(memory.Allocator) B, read func(arrow.Array, int) (V, bool)) func(arrow.Array) (arrow.Array, error) {
	return func(from arrow.Array) (arrow.Array, error) {
		b := builder(memory.DefaultAllocator)
		defer b.Release()
		b.Reserve(from.Len())
		for i := range from.Len() {
			if from.IsNull(i) {
				b.AppendNull()
				continue
			}
			value, known := read(from, i)
			if !known {
				return nil, fmt.Errorf("the type %s does not travel", from.DataType())
			}
			b.Append(value)
		}
		return b.NewArray(), nil
	}
}

func wholeNumber(a arrow.Array, i int) (int64, bool) {
	switch a := a.(type) {
	case *array.Int8:
		return int64(a.Value(i)), true
	case *array.Int16:
		return int64(a.Value(i)), true
	case *array.Int32:
		return int64(a.Value(i)), true
	case *array.Int64:
		return a.Value(i), true
	case *array.Uint8:
		return int64(a.Value(i)), true
	case *array.Uint16:
		return int64(a.Value(i)), true
	case *array.Uint32:
		return int64(a.Value(i)), true
	}
	return 0, false
}

func fraction(a arrow.Array, i int) (float64, bool) {
	switch a := a.(type) {
	case *array.Uint64:
		return float64(a.Value(i)), true
	case *array.Float16:
		return float64(a.Value(i).Float32()), true
	case *array.Float32:
		return float64(a.Value(i)), true
	case *array.Float64:
		return a.Value(i), true
	case *array.Decimal128:
		kind, ok := a.DataType().(*arrow.Decimal128Type)
		if !ok {
			return 0, false
		}
		return a.Value(i).ToFloat64(kind.Scale), true
	case *array.Decimal256:
		kind, ok := a.DataType().(*arrow.Decimal256Type)
		if !ok {
			return 0, false
		}
		return a.Value(i).ToFloat64(kind.Scale), true
	}
	return 0, false
}

// microseconds is an instant as it travels. DuckDB's infinities are the ends of what 64 bits hold, and stay there.
func microseconds(a arrow.Array, i int) (arrow.Timestamp, bool) {
	t, ok := a.(*array.Timestamp)
	if !ok {
		return 0, false
	}
	kind, ok := t.DataType().(*arrow.TimestampType)
	if !ok {
		return 0, false
	}
	value := int64(t.Value(i))
	scaled := func(by int64) int64 {
		if value > math.MaxInt64/by {
			return math.MaxInt64
		}
		if value < math.MinInt64/by {
			return math.MinInt64
		}
		return value * by
	}
	switch kind.Unit {
	case arrow.Second:
		value = scaled(1_000_000)
	case arrow.Millisecond:
		value = scaled(1000)
	case arrow.Nanosecond:
		value /= 1000
	case arrow.Microsecond:
	}
	return arrow.Timestamp(value), true
}
