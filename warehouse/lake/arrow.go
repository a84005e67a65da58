package lake

import (
	"fmt"
	"reflect"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

// arrowSchema is a table's columns as Arrow has them; DuckDB gives an encrypted file's columns the same SQL types as a plain
// one's.
func (t Table[T]) arrowSchema() (*arrow.Schema, error) {
	fields := make([]arrow.Field, len(t.columns))
	for i, c := range t.columns {
		leaf, found := t.schema.Lookup(c.name)
		if !found {
			return nil, fmt.Errorf("table %s has no column %s", t.name, c.name)
		}
		kind, err := arrowType(c.kind, leaf.Node.Type().LogicalType())
		if err != nil {
			return nil, fmt.Errorf("column %s of %s: %w", c.name, t.name, err)
		}
		fields[i] = arrow.Field{Name: c.name, Type: kind, Nullable: c.optional}
	}
	return arrow.NewSchema(fields, nil), nil
}

func arrowType(kind reflect.Kind, logical *format.LogicalType) (arrow.DataType, error) {
	var meaning any
	if logical != nil {
		meaning = logical.Value
	}
	switch kind {
	case reflect.String:
		return arrow.BinaryTypes.String, nil
	case reflect.Bool:
		return arrow.FixedWidthTypes.Boolean, nil
	case reflect.Int32:
		if _, day := meaning.(*format.DateType); day {
			return arrow.FixedWidthTypes.Date32, nil
		}
		return arrow.PrimitiveTypes.Int32, nil
	case reflect.Int64:
		instant, ok := meaning.(*format.TimestampType)
		if !ok {
			return arrow.PrimitiveTypes.Int64, nil
		}
		if _, micro := instant.Unit.Value.(*format.MicroSeconds); micro && instant.IsAdjustedToUTC {
			return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, nil
		}
	}
	return nil, fmt.Errorf("a %v that means %v has no Arrow type here", kind, meaning)
}

// record makes an Arrow record of rows.
func (t Table[T]) record(builder *array.RecordBuilder, rows []T) arrow.RecordBatch {
	all := reflect.ValueOf(rows)
	for i, c := range t.columns {
		into := builder.Field(i)
		into.Reserve(len(rows))
		add := appender(into)
		for r := range rows {
			cell := all.Index(r).Field(c.field)
			if c.optional {
				if cell.IsNil() {
					into.AppendNull()
					continue
				}
				cell = cell.Elem()
			}
			add(cell)
		}
	}
	return builder.NewRecordBatch()
}

// appender adds cells of a column's kind to its builder.
func appender(into array.Builder) func(cell reflect.Value) {
	switch b := into.(type) {
	case *array.StringBuilder:
		return func(cell reflect.Value) { b.Append(cell.String()) }
	case *array.BooleanBuilder:
		return func(cell reflect.Value) { b.Append(cell.Bool()) }
	case *array.Int32Builder:
		return func(cell reflect.Value) { b.Append(int32(cell.Int())) }
	case *array.Date32Builder:
		return func(cell reflect.Value) { b.Append(arrow.Date32(cell.Int())) }
	case *array.Int64Builder:
		return func(cell reflect.Value) { b.Append(cell.Int()) }
	case *array.TimestampBuilder:
		return func(cell reflect.Value) { b.Append(arrow.Timestamp(cell.Int())) }
	}
	panic(fmt.Sprintf("lake: no cells for %v", into.Type())) // arrowType gives no other type
}

func newBuilder(s *arrow.Schema) *array.RecordBuilder {
	return array.NewRecordBuilder(memory.DefaultAllocator, s)
}

// fill puts the columns of a record into rows, as many as it has; columns that the record lacks stay as they are.
func (t Table[T]) fill(rows []T, record arrow.RecordBatch) error {
	all := reflect.ValueOf(rows)
	for _, c := range t.columns {
		at := record.Schema().FieldIndices(c.name)
		if len(at) == 0 {
			continue
		}
		values := record.Column(at[0])
		set, err := setter(values)
		if err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
		for r := range rows {
			cell := all.Index(r).Field(c.field)
			switch {
			case values.IsNull(r):
			case c.optional:
				value := reflect.New(cell.Type().Elem())
				set(value.Elem(), r)
				cell.Set(value)
			default:
				set(cell, r)
			}
		}
	}
	return nil
}

// setter puts a value of a column into a cell.
func setter(values arrow.Array) (func(cell reflect.Value, row int), error) {
	switch v := values.(type) {
	case *array.String:
		known := map[string]string{} // texts repeat: one copy of each does, apart from the file's bytes
		return func(cell reflect.Value, row int) {
			text, ok := known[v.Value(row)]
			if !ok {
				text = string([]byte(v.Value(row)))
				known[text] = text
			}
			cell.SetString(text)
		}, nil
	case *array.Boolean:
		return func(cell reflect.Value, row int) { cell.SetBool(v.Value(row)) }, nil
	case *array.Int32:
		return func(cell reflect.Value, row int) { cell.SetInt(int64(v.Value(row))) }, nil
	case *array.Date32:
		return func(cell reflect.Value, row int) { cell.SetInt(int64(v.Value(row))) }, nil
	case *array.Int64:
		return func(cell reflect.Value, row int) { cell.SetInt(v.Value(row)) }, nil
	case *array.Timestamp:
		return func(cell reflect.Value, row int) { cell.SetInt(int64(v.Value(row))) }, nil
	}
	return nil, fmt.Errorf("it holds %v, which no row has", values.DataType())
}

// compatibleArrow refuses a file that gives one of our columns another type.
func (t Table[T]) compatibleArrow(file *arrow.Schema) error {
	ours, err := t.arrowSchema()
	if err != nil {
		return err
	}
	for _, f := range ours.Fields() {
		theirs, found := file.FieldsByName(f.Name)
		if found && !arrow.TypeEqual(theirs[0].Type, f.Type) {
			return fmt.Errorf("column %s of %s has the type %v in the lake and %v in this program: use the version of falloff that wrote it, or a newer one",
				f.Name, t.name, theirs[0].Type, f.Type)
		}
	}
	return nil
}

// isMoney says whether a column holds cents, whose totals a commit keeps.
func isMoney(f arrow.Field) bool { return f.Type.ID() == arrow.INT64 && moneyColumn(f.Name) }

// noTotals are the totals of no rows; nil where no column holds cents.
func noTotals(s *arrow.Schema) (sums map[string]int64) {
	for _, f := range s.Fields() {
		if isMoney(f) {
			put(&sums, f.Name, 0)
		}
	}
	return sums
}

// addTotals adds a record to the totals.
func addTotals(sums map[string]int64, record arrow.RecordBatch) {
	for i, f := range record.Schema().Fields() {
		if !isMoney(f) {
			continue
		}
		cents, _ := record.Column(i).(*array.Int64)
		for r := range cents.Len() {
			if cents.IsValid(r) {
				sums[f.Name] += cents.Value(r)
			}
		}
	}
}
