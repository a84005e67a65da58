package query

import (
	"bytes"
	"strings"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// Rows reads an answer as a server sends it, an Arrow IPC stream: its schema, and its rows in order, a value a column. Values are string,
// int64, float64, bool, civil.Date where the column's type is Day, else time.Time in UTC; nil is null. They outlive the body.
func Rows(body []byte) (*arrow.Schema, [][]any, error) {
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	defer reader.Release()
	schema := reader.Schema()
	var rows [][]any
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			row := make([]any, schema.NumFields())
			for c, field := range schema.Fields() {
				row[c] = value(field, batch.Column(c), i)
			}
			rows = append(rows, row)
		}
	}
	return schema, rows, reader.Err()
}

func value(field arrow.Field, column arrow.Array, at int) any {
	if column.IsNull(at) {
		return nil
	}
	switch c := column.(type) {
	case *array.String:
		return strings.Clone(c.Value(at))
	case *array.Int64:
		return c.Value(at)
	case *array.Float64:
		return c.Value(at)
	case *array.Boolean:
		return c.Value(at)
	case *array.Timestamp:
		moment := c.Value(at).ToTime(arrow.Microsecond).UTC()
		if kind, _ := field.Metadata.GetValue(FieldType); kind == string(Day) {
			return civil.DateOf(moment)
		}
		return moment
	default:
		return column.ValueStr(at)
	}
}
