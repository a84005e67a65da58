package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// table says how the rows of an input become a table of DuckDB.
type table struct {
	name             string
	needed, optional []string
	schema           *arrow.Schema
	// put checks one row and appends it; what is wrong in a cell is a *cellError.
	put func(to *array.RecordBuilder, cells []string) error
}

// cellError is what is wrong in a cell of a row.
type cellError struct{ column, text string }

func (e *cellError) Error() string { return e.column + ": " + e.text }

func field(name string, kind arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: kind, Nullable: true}
}

// amountScale is how many digits behind the point an amount may have: more than any currency's.
const amountScale = 9

// tableOf describes the input of a request.
func tableOf(q Request) table {
	day, text, number := arrow.FixedWidthTypes.Date32, arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64
	switch q.Input {
	case Durations:
		return table{
			name: "given", needed: []string{"time", "event"}, optional: []string{"group"},
			schema: arrow.NewSchema([]arrow.Field{field("time", number), field("event", number), field("series", text)}, nil),
			put: func(to *array.RecordBuilder, cells []string) error {
				time, err := wholeDays(cells[0])
				if err != nil {
					return &cellError{"time", err.Error()}
				}
				event, err := eventNumber(cells[1], q.Metric)
				if err != nil {
					return &cellError{"event", err.Error()}
				}
				appendNumber(to.Field(0), time)
				appendNumber(to.Field(1), event)
				appendText(to.Field(2), cells[2])
				return nil
			},
		}
	case Invoices:
		return invoiceTable(q.Basis, q.AsOf)
	default:
		return table{
			name: "given", needed: []string{"entity", "date"},
			schema: arrow.NewSchema([]arrow.Field{field("entity", text), field("date", day)}, nil),
			put: func(to *array.RecordBuilder, cells []string) error {
				if cells[0] == "" {
					return &cellError{"entity", "the cell is empty: every row needs an entity"}
				}
				date, err := dayOf(cells[1])
				if err != nil {
					return &cellError{"date", err.Error()}
				}
				appendText(to.Field(0), cells[0])
				appendDay(to.Field(1), &date)
				return nil
			},
		}
	}
}

func invoiceTable(basis Basis, asOf civil.Date) table {
	day, text := arrow.FixedWidthTypes.Date32, arrow.BinaryTypes.String
	t := table{
		name: "given", needed: []string{"invoice", "invoice_date", "settled_date", "amount"}, optional: []string{"due_date"},
		schema: arrow.NewSchema([]arrow.Field{
			field("invoice", text), field("invoiced_on", day), field("settled_on", day),
			field("amount", &arrow.Decimal128Type{Precision: 38, Scale: amountScale}), field("aged_from", day),
		}, nil),
	}
	if basis == DueDate {
		t.needed, t.optional = append(t.needed, "due_date"), nil
	}
	t.put = func(to *array.RecordBuilder, cells []string) error {
		if cells[0] == "" {
			return &cellError{"invoice", "the cell is empty: every row needs an invoice"}
		}
		invoiced, err := dayOf(cells[1])
		if err != nil {
			return &cellError{"invoice_date", err.Error()}
		}
		settled, err := optionalDay(cells[2])
		if err != nil {
			return &cellError{"settled_date", err.Error()}
		}
		amount, err := amountOf(cells[3])
		if err != nil {
			return &cellError{"amount", err.Error()}
		}
		due, err := optionalDay(cells[4])
		if err != nil {
			return &cellError{"due_date", err.Error()}
		}
		agedFrom := &invoiced
		if basis == DueDate {
			isOpen := invoiced <= dayNumber(asOf) && (settled == nil || *settled > dayNumber(asOf))
			if agedFrom = due; due == nil && isOpen {
				return &cellError{"due_date", "the cell is empty, and the invoice is open: fill it in, or use --basis invoice"}
			}
		}
		appendText(to.Field(0), cells[0])
		appendDay(to.Field(1), &invoiced)
		appendDay(to.Field(2), settled)
		appendAmount(to.Field(3), amount)
		appendDay(to.Field(4), agedFrom)
		return nil
	}
	return t
}

// The builders are those of the table's schema. One of another type would stay short, which Arrow refuses.

func appendText(to array.Builder, v string) {
	if texts, ok := to.(*array.StringBuilder); ok {
		texts.Append(v)
	}
}

func appendNumber(to array.Builder, v int64) {
	if numbers, ok := to.(*array.Int64Builder); ok {
		numbers.Append(v)
	}
}

func appendAmount(to array.Builder, v decimal128.Num) {
	if amounts, ok := to.(*array.Decimal128Builder); ok {
		amounts.Append(v)
	}
}

func appendDay(to array.Builder, day *arrow.Date32) {
	days, ok := to.(*array.Date32Builder)
	switch {
	case !ok:
	case day == nil:
		days.AppendNull()
	default:
		days.Append(*day)
	}
}

func dayNumber(d civil.Date) arrow.Date32 {
	return arrow.Date32(d.DaysSince(civil.Date{Year: 1970, Month: 1, Day: 1}))
}

// dayOf reads YYYY-MM-DD.
func dayOf(text string) (arrow.Date32, error) {
	if text == "" {
		return 0, errors.New("the cell is empty: every row needs a date, YYYY-MM-DD")
	}
	date, err := civil.ParseDate(text)
	switch {
	case err == nil && date.IsValid() && date.Year > 0:
		return dayNumber(date), nil
	case len(text) > 10 && (text[10] == ' ' || text[10] == 'T'):
		return 0, errors.New("this is a day with a time of day: write the local day alone, YYYY-MM-DD")
	default:
		return 0, errors.New("this is no date of the calendar in the form YYYY-MM-DD: write it so")
	}
}

func optionalDay(text string) (*arrow.Date32, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no day is a day that has not come
	}
	day, err := dayOf(text)
	return &day, err
}

// wholeDays reads a duration. Programs that keep numbers as doubles write 12.0.
func wholeDays(text string) (int64, error) {
	value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	switch {
	case strings.TrimSpace(text) == "":
		return 0, errors.New("the cell is empty: every row needs a time in whole days")
	case err != nil || math.IsNaN(value) || math.IsInf(value, 0):
		return 0, errors.New("this is no number: write the time in whole days")
	case value < 0:
		return 0, errors.New("the time is negative: times count from 0, the entry")
	case value != math.Trunc(value):
		return 0, errors.New("the time has a fraction: write it in whole days, or in a smaller unit")
	case value > 1e15:
		return 0, errors.New("the time is too large: write it in whole days")
	default:
		return int64(value), nil
	}
}

// eventNumber reads 0 (censored), 1 or, for metrics that know several kinds of event, which one.
func eventNumber(text string, metric Metric) (int64, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	switch text {
	case "false":
		return 0, nil
	case "true":
		return 1, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	several := metric == Incidence
	switch {
	case err == nil && (value == 0 || value == 1):
		return int64(value), nil
	case err == nil && several && value == math.Trunc(value) && value > 1 && value < 1000:
		return int64(value), nil
	case several:
		return 0, errors.New("this is neither 0 (censored) nor a whole number that says which event it was: write 0, 1, 2 …")
	case err == nil && value > 1:
		return 0, errors.New("this is neither 0 (censored) nor 1 (event): write 0, 1, false or true; several kinds of event need --metric incidence")
	default:
		return 0, errors.New("this is neither 0 (censored) nor 1 (event): write 0, 1, false or true")
	}
}

// plainAmount is a number in digits. Programs that keep numbers as doubles write very large and small ones with an exponent.
var plainAmount = regexp.MustCompile(`^[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?$`)

// amountOf reads an amount without rounding it.
func amountOf(text string) (decimal128.Num, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return decimal128.Num{}, errors.New("the cell is empty: every row needs an amount")
	}
	var value *big.Rat
	if plainAmount.MatchString(text) {
		value, _ = new(big.Rat).SetString(text)
	}
	if value == nil {
		return decimal128.Num{}, errors.New("this is no amount: write digits and a point, such as 120.50, without currency and thousands separators")
	}
	value.Mul(value, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(amountScale), nil)))
	if !value.IsInt() {
		return decimal128.Num{}, fmt.Errorf("the amount has more than %d digits behind the point: round it", amountScale)
	}
	if value.Num().BitLen() > 90 { // so that a billion of them still add up
		return decimal128.Num{}, errors.New("the amount is too large: below 10^18 is needed")
	}
	return decimal128.FromBigInt(value.Num()), nil
}

// records reads a file as record batches, which DuckDB pulls.
type records struct {
	table   table
	from    rows
	file    string
	builder *array.RecordBuilder
	batch   arrow.RecordBatch
	count   int64
	ctx     context.Context
	err     error
}

const batchRows = 1 << 16

func (r *records) Retain()                        {}
func (r *records) Release()                       {}
func (r *records) Schema() *arrow.Schema          { return r.table.schema }
func (r *records) RecordBatch() arrow.RecordBatch { return r.batch }
func (r *records) Record() arrow.RecordBatch      { return r.batch }
func (r *records) Err() error                     { return r.err }

// Next reads the next rows. It is called by DuckDB, one call after the other.
func (r *records) Next() bool {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
	n := 0
	for n < batchRows && r.err == nil {
		cells, row, err := r.from.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = r.table.put(r.builder, cells)
		}
		if cell, ok := errors.AsType[*cellError](err); ok {
			err = &InputError{File: r.file, Row: row, Column: cell.column, Text: cell.text}
		}
		r.err = err
		n++
	}
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err != nil || n == 0 {
		return false
	}
	r.count += int64(n)
	r.batch = r.builder.NewRecordBatch()
	return true
}

// load makes the table `given` of the request's file and gives the optional columns that it has.
func (db *database) load(ctx context.Context, q Request) (map[string]bool, error) {
	t := tableOf(q)
	from, present, err := openRows(ctx, q.File, t.needed, t.optional)
	if err != nil {
		return nil, err
	}
	defer from.close()
	r := &records{table: t, from: from, file: q.File, builder: array.NewRecordBuilder(memory.DefaultAllocator, t.schema), ctx: ctx}
	defer r.builder.Release()
	err = db.fill(ctx, t.name, r)
	if r.err != nil { // what DuckDB says of it is that a stream broke off
		return nil, r.err
	}
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", q.File, err)
	}
	if r.count == 0 {
		return nil, &InputError{File: q.File, Text: "there is a header and no row: nothing can be computed"}
	}
	return present, nil
}
