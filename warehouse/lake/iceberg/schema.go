package iceberg

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// errOtherType is returned for a column that comes with a type which its earlier one cannot be read as.
var errOtherType = errors.New("the type changed")

// columns gives each column name of a table one field id for ever: files are read by name, so a name cannot mean two.
type columns struct {
	byName map[string]iceberg.NestedField
	last   int
}

// columnsOf are the columns of all schemas a table ever had.
func columnsOf(meta table.Metadata) *columns {
	c := &columns{byName: map[string]iceberg.NestedField{}}
	if meta == nil {
		return c
	}
	for _, s := range meta.Schemas() { // in the order in which they were added: the last type of a column counts
		for _, f := range s.Fields() {
			c.byName[f.Name] = f
		}
	}
	c.last = meta.LastColumnID()
	return c
}

// take gives a file's columns their field ids, new ones where a name is new. A type may become wider.
func (c *columns) take(fields []iceberg.NestedField) ([]string, error) {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
		if _, primitive := f.Type.(iceberg.PrimitiveType); !primitive {
			return nil, fmt.Errorf("column %s: lists and structures are not described to other engines", f.Name)
		}
		known, found := c.byName[f.Name]
		switch {
		case !found:
			c.last++
			f.ID, f.Required = c.last, false
			c.byName[f.Name] = f
		case known.Type.Equals(f.Type) || widens(f.Type, known.Type):
		case widens(known.Type, f.Type):
			known.Type = f.Type
			c.byName[f.Name] = known
		default:
			return nil, fmt.Errorf("column %s was %s and is %s: %w", f.Name, known.Type, f.Type, errOtherType)
		}
	}
	return names, nil
}

// widens says whether values of one type can be read as the other, as Iceberg's rules for a column have it.
func widens(from, to iceberg.Type) bool {
	switch from.(type) {
	case iceberg.Int32Type, iceberg.Float32Type, iceberg.DecimalType:
		promoted, err := iceberg.PromoteType(from, to)
		return err == nil && promoted.Equals(to)
	default:
		return false
	}
}

// schema is the schema of these columns, in this order.
func (c *columns) schema(names []string) *iceberg.Schema {
	fields := make([]iceberg.NestedField, 0, len(names))
	for _, n := range names {
		fields = append(fields, c.byName[n])
	}
	return iceberg.NewSchema(0, fields...)
}

// mapping says by which name a field is found in a file, for every column that the table ever had.
func (c *columns) mapping() iceberg.NameMapping {
	return c.schema(slices.Sorted(maps.Keys(c.byName))).NameMapping()
}

// fieldsOf reads the columns of a Parquet object from its footer.
func fieldsOf(f *files, location string) (fields []iceberg.NestedField, err error) {
	defer recovered(&err)
	in, err := f.Open(location)
	if err != nil {
		return nil, err
	}
	r, err := file.NewParquetReader(in)
	if err != nil {
		return nil, fmt.Errorf("open its footer: %w", err)
	}
	defer func() { _ = r.Close() }()
	arrow, err := pqarrow.FromParquet(r.MetaData().Schema, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("read its columns: %w", err)
	}
	schema, err := table.ArrowSchemaToIcebergWithFreshIDs(arrow, true)
	if err != nil {
		return nil, fmt.Errorf("its columns in Iceberg's types: %w", err)
	}
	return schema.Fields(), nil
}

// recovered turns a panic into an error: both libraries panic on some damaged files.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the library gave up: %v", r)
	}
}
