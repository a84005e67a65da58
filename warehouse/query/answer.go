package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"
)

// Request asks one named query.
type Request struct {
	// Query is the definition's name.
	Query string
	// Params are its parameters by name; what is left out takes its default.
	Params map[string]any
	// From and To bound the days of a query that has a time range, both inclusive; zero is open.
	From, To civil.Date
	// Released asks for what may be told to whoever may see no rows (see Released).
	Released bool
}

// Keys of the schema's metadata, and of its fields'.
const (
	MetaQuery    = "falloff.query"
	MetaTitle    = "falloff.title"
	MetaClinic   = "falloff.clinic"
	MetaCommit   = "falloff.commit"
	MetaAsOf     = "falloff.as_of"
	MetaTimeZone = "falloff.time_zone"
	MetaCurrency = "falloff.currency"
	// MetaNote says in words what is withheld, where anything is.
	MetaNote = "falloff.note"

	// MetaSeriesX and the two after it are present where the definition has a Series.
	MetaSeriesX     = "falloff.series.x"
	MetaSeriesName  = "falloff.series.name"
	MetaSeriesValue = "falloff.series.value"

	FieldTitle       = "title"
	FieldType        = "type"
	FieldUnit        = "unit"
	FieldDescription = "description"
)

// Answer is the whole answer of a query. The caller releases it.
type Answer struct {
	// Schema has one field a column of the definition, with its title, type and unit in the field's metadata, and the
	// snapshot in the schema's.
	Schema  *arrow.Schema
	Batches []arrow.RecordBatch
	Rows    int64
	// Withheld is how many rows have their numbers withheld.
	Withheld int64
}

// Release frees the answer's memory.
func (a *Answer) Release() {
	for _, batch := range a.Batches {
		batch.Release()
	}
	a.Batches = nil
}

// Run answers a request. Errors are UnknownQueryError, ParameterError, UnavailableError, TooLargeError, TooMuchMemoryError, the context's,
// or DuckDB's.
func (e *Engine) Run(ctx context.Context, request Request) (*Answer, error) {
	d, ok := Lookup(request.Query)
	if !ok {
		return nil, Unknown(request.Query)
	}
	bind, unavailable := d.Bind, e.unavailable
	if !request.Released && d.IsReleasedOnly() {
		return nil, &UnavailableError{Name: d.Name, Reason: "it is about released tables alone"}
	}
	if request.Released {
		if d.Released == nil {
			return nil, &UnavailableError{Name: d.Name, Reason: "nothing of it is released"}
		}
		bind, unavailable = d.BindReleased, e.withoutReleased
	}
	bound, err := bind(request.Params)
	if err != nil {
		return nil, err
	}
	if reason, ok := unavailable[d.Name]; ok {
		return nil, &UnavailableError{Name: d.Name, Reason: reason}
	}
	if request.Released {
		d = d.asReleased()
	}
	bound["from"], bound["to"] = dayText(request.From), dayText(request.To)
	answer, err := e.answer(ctx, d, bound)
	if err != nil {
		return nil, err
	}
	if request.Released {
		answer.note(MetaNote, e.note(d, bound, answer.Withheld))
	}
	return answer, nil
}

// answer runs a definition whose parameters are bound.
func (e *Engine) answer(ctx context.Context, d Definition, bound map[string]any) (*Answer, error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("answering %s: %w", d.Name, err)
	}
	defer func() { _ = conn.Close() }()
	answer := &Answer{Schema: d.schema(e.meta)}
	err = conn.Raw(func(raw any) error {
		plain, ok := raw.(driver.Conn)
		if !ok {
			return fmt.Errorf("DuckDB's connection is a %T", raw)
		}
		return e.collect(ctx, plain, d, bound, answer)
	})
	if err != nil {
		answer.Release()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("answering %s: %w", d.Name, ctx.Err())
		}
		switch {
		case isOutOfMemory(err):
			return nil, &TooMuchMemoryError{Name: d.Name}
		case isFatal(err):
			e.broken.Store(true)
		}
		return nil, fmt.Errorf("answering %s: %w", d.Name, err)
	}
	return answer, nil
}

// isOutOfMemory says whether DuckDB gave up for want of memory.
func isOutOfMemory(err error) bool {
	failed, ok := errors.AsType[*duckdb.Error](err)
	return ok && failed.Type == duckdb.ErrorTypeOutOfMemory || strings.Contains(err.Error(), "bad_alloc")
}

// isFatal says whether DuckDB answers nothing more after an error.
func isFatal(err error) bool {
	failed, ok := errors.AsType[*duckdb.Error](err)
	return ok && (failed.Type == duckdb.ErrorTypeFatal || failed.Type == duckdb.ErrorTypeInternal) || strings.Contains(err.Error(), "database has been invalidated")
}

// texts are the cells of a column of text, without those that are empty.
func (a *Answer) texts(column int) []string {
	all := []string{}
	for _, batch := range a.Batches {
		cells, ok := batch.Column(column).(*array.String)
		for i := 0; ok && i < cells.Len(); i++ {
			if cells.IsValid(i) {
				all = append(all, strings.Clone(cells.Value(i))) // the batch's memory is not ours to keep
			}
		}
	}
	return all
}

// note adds something to what the answer says of itself.
func (a *Answer) note(key, text string) {
	if text == "" {
		return
	}
	said := a.Schema.Metadata()
	metadata := arrow.NewMetadata(append(said.Keys(), key), append(said.Values(), text))
	a.Schema = arrow.NewSchema(a.Schema.Fields(), &metadata)
	for i, batch := range a.Batches {
		a.Batches[i] = array.NewRecordBatch(a.Schema, batch.Columns(), batch.NumRows())
		batch.Release()
	}
}

func (e *Engine) collect(ctx context.Context, conn driver.Conn, d Definition, bound map[string]any, answer *Answer) error {
	arrowConn, err := duckdb.NewArrowFromConn(conn)
	if err != nil {
		return err
	}
	d.text = d.withOwnWords(bound)
	var arguments []any
	for _, name := range d.placeholders() {
		arguments = append(arguments, sql.Named(name, bound[name]))
	}
	reader, err := arrowConn.QueryContext(ctx, d.statement(), arguments...)
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
		batch := reader.RecordBatch()
		answer.Rows += batch.NumRows()
		if answer.Rows > e.limits.Rows {
			return &TooLargeError{Name: d.Name, Rows: e.limits.Rows}
		}
		described, err := describe(answer.Schema, batch)
		if err != nil {
			return err
		}
		answer.Batches = append(answer.Batches, described)
		answer.Withheld += withheldIn(described)
	}
	return reader.Err()
}

// describe gives a batch the definition's schema, which differs from DuckDB's in metadata alone.
func describe(schema *arrow.Schema, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	for i, field := range batch.Schema().Fields() {
		if want := schema.Field(i); field.Name != want.Name || !arrow.TypeEqual(field.Type, want.Type) {
			return nil, fmt.Errorf("column %d came as %s %s, not as %s %s", i+1, field.Name, field.Type, want.Name, want.Type)
		}
	}
	return array.NewRecordBatch(schema, batch.Columns(), batch.NumRows()), nil
}

// statement is the query's SQL with every column cast to the type that it is declared with.
func (d Definition) statement() string {
	columns := make([]string, len(d.Columns))
	for i, c := range d.Columns {
		columns[i] = fmt.Sprintf(`cast("%s" as %s) as "%s"`, c.Name, c.Type.duckType(), c.Name)
	}
	return "select " + strings.Join(columns, ", ") + " from (\n" + d.text + "\n) as answer order by " + d.order
}

var placeholder = regexp.MustCompile(`\$[a-z_]+`)

// withOwnWords is the query's text with those parameters written into it whose values are this program's own words: numbers, days, choices
// and defaults. DuckDB plans for what it can read in a statement, and asks each row anew about what it cannot. What a person typed is
// never written into a statement.
func (d Definition) withOwnWords(bound map[string]any) string {
	own := map[string]bool{"from": true, "to": true}
	for _, p := range d.Parameters {
		own[p.Name] = p.Type != TextParameter || bound[p.Name] == p.Default
	}
	return placeholder.ReplaceAllStringFunc(d.text, func(found string) string {
		name := found[1:]
		if !own[name] {
			return found
		}
		switch value := bound[name].(type) {
		case nil:
			return "null"
		case int64:
			return "(" + strconv.FormatInt(value, 10) + ")" // a minus would make a comment of the one before it
		case string:
			if ownWord.MatchString(value) {
				return "'" + value + "'"
			}
		}
		return found
	})
}

// ownWord is what a word of this program's own looks like: nothing in it could end a literal.
var ownWord = regexp.MustCompile(`^[a-z0-9_-]+$`)

// placeholders are the names of the parameters that the SQL mentions, each once.
func (d Definition) placeholders() []string {
	var names []string
	for _, name := range placeholder.FindAllString(d.text, -1) {
		if !slices.Contains(names, name[1:]) {
			names = append(names, name[1:])
		}
	}
	return names
}

// schema is what the query's answers look like over one snapshot.
func (d Definition) schema(meta Meta) *arrow.Schema {
	fields := make([]arrow.Field, len(d.Columns))
	for i, c := range d.Columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.arrow(), Nullable: true, Metadata: arrow.NewMetadata(
			[]string{FieldTitle, FieldType, FieldUnit, FieldDescription},
			[]string{c.Title, string(c.Type), string(c.Unit), c.Description},
		)}
	}
	keys := []string{MetaQuery, MetaTitle, MetaClinic, MetaCommit, MetaAsOf, MetaTimeZone, MetaCurrency}
	values := []string{d.Name, d.Title, meta.Clinic, meta.Commit, meta.AsOf.String(), meta.TimeZone, meta.Currency}
	if d.Series != nil {
		keys = append(keys, MetaSeriesX, MetaSeriesName, MetaSeriesValue)
		values = append(values, d.Series.X, d.Series.Name, d.Series.Value)
	}
	metadata := arrow.NewMetadata(keys, values)
	return arrow.NewSchema(fields, &metadata)
}

func (c ColumnType) arrow() arrow.DataType {
	switch c {
	case Integer:
		return arrow.PrimitiveTypes.Int64
	case Number:
		return arrow.PrimitiveTypes.Float64
	case Flag:
		return arrow.FixedWidthTypes.Boolean
	case Instant, Day:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	default:
		return arrow.BinaryTypes.String
	}
}
