package plugin

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"
)

// Keys that the query server puts into an answer's schema and fields; warehouse/query has the other end.
const (
	metaQuery       = "falloff.query"
	metaTitle       = "falloff.title"
	metaClinic      = "falloff.clinic"
	metaCommit      = "falloff.commit"
	metaAsOf        = "falloff.as_of"
	metaCurrency    = "falloff.currency"
	metaNote        = "falloff.note"
	metaSeriesX     = "falloff.series.x"
	metaSeriesName  = "falloff.series.name"
	metaSeriesValue = "falloff.series.value"

	fieldTitle       = "title"
	fieldType        = "type"
	fieldUnit        = "unit"
	fieldDescription = "description"
)

// mostRows bounds what one answer may hold; a query server's own limit is far below.
const mostRows = 2_000_000

// snapshot is what a frame says of where it comes from.
type snapshot struct {
	Clinic   string `json:"clinic"`
	Commit   string `json:"commit"`
	AsOf     string `json:"asOf"` //nolint:tagliatelle // as Grafana spells what its frontend reads
	Currency string `json:"currency"`
}

// decode reads an Arrow stream into one frame. Money becomes units of the currency; timestamps keep their unit (the
// SDK's own reader takes microseconds for nanoseconds); an empty answer keeps its columns.
func decode(stream io.Reader) (frame *data.Frame, schema *arrow.Schema, err error) {
	defer func() {
		// The Arrow library answers buffers that are shorter than their batch says with a panic.
		if told := recover(); told != nil {
			frame, schema, err = nil, nil, fmt.Errorf("the answer is damaged: %v", told)
		}
	}()
	body, err := io.ReadAll(stream)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	if err := checkFraming(body); err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer's schema: %w", err)
	}
	defer reader.Release()
	schema = reader.Schema()
	metadata := schema.Metadata()
	value := func(key string) string { v, _ := metadata.GetValue(key); return v }
	from := snapshot{Clinic: value(metaClinic), Commit: value(metaCommit), AsOf: value(metaAsOf), Currency: value(metaCurrency)}

	columns := make([]column, schema.NumFields())
	for i, field := range schema.Fields() {
		if columns[i], err = newColumn(field); err != nil {
			return nil, nil, err
		}
	}
	batches, err := readBatches(reader)
	defer func() {
		for _, batch := range batches {
			batch.Release()
		}
	}()
	if err != nil {
		return nil, nil, err
	}
	if err := fill(schema, columns, batches); err != nil {
		return nil, nil, err
	}
	frame = data.NewFrame(value(metaTitle))
	for i, field := range schema.Fields() {
		f := data.NewField(field.Name, nil, columns[i].values())
		f.Config = fieldConfig(field, from.Currency)
		frame.Fields = append(frame.Fields, f)
	}
	frame.Meta = &data.FrameMeta{Custom: from, PreferredVisualization: data.VisTypeTable}
	if note := value(metaNote); note != "" {
		frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: note})
	}
	return frame, schema, nil
}

// readBatches reads a stream to its end. The caller releases what it gets, with an error too.
func readBatches(reader *ipc.Reader) (batches []arrow.RecordBatch, err error) {
	var rows int64
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		batches = append(batches, batch)
		if rows += batch.NumRows(); rows > mostRows {
			return batches, fmt.Errorf("the answer has more than %d rows", mostRows)
		}
	}
	if err := reader.Err(); err != nil {
		return batches, fmt.Errorf("reading the answer: %w", err)
	}
	return batches, nil
}

// fill has each column take its part of the batches, several columns at once.
func fill(schema *arrow.Schema, columns []column, batches []arrow.RecordBatch) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range columns {
		group.Go(func() (err error) {
			defer func() {
				// The Arrow library answers offsets that point nowhere with a panic, which no other goroutine can catch.
				if told := recover(); told != nil {
					err = fmt.Errorf("the answer is damaged: %v", told)
				}
			}()
			parts := make([]arrow.Array, len(batches))
			for at, batch := range batches {
				parts[at] = batch.Column(i)
			}
			if err := columns[i].take(parts); err != nil {
				return fmt.Errorf("reading column %s: %w", schema.Field(i).Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// column gathers one field's values out of the batches.
type column interface {
	take(batches []arrow.Array) error
	values() any
}

func newColumn(field arrow.Field) (column, error) {
	unit, _ := field.Metadata.GetValue(fieldUnit)
	switch kind := field.Type.(type) {
	case *arrow.StringType:
		return &typed[string, *array.String]{read: func(a *array.String, into []string) {
			for i := range into {
				into[i] = a.Value(i)
			}
		}}, nil
	case *arrow.Int64Type:
		if unit == "cents" {
			return &typed[float64, *array.Int64]{read: func(a *array.Int64, into []float64) {
				for i, cents := range a.Int64Values() {
					into[i] = float64(cents) / 100
				}
			}}, nil
		}
		return &typed[int64, *array.Int64]{read: func(a *array.Int64, into []int64) { copy(into, a.Int64Values()) }}, nil
	case *arrow.Float64Type:
		return &typed[float64, *array.Float64]{read: func(a *array.Float64, into []float64) { copy(into, a.Float64Values()) }}, nil
	case *arrow.BooleanType:
		return &typed[bool, *array.Boolean]{read: func(a *array.Boolean, into []bool) {
			for i := range into {
				into[i] = a.Value(i)
			}
		}}, nil
	case *arrow.TimestampType:
		return &typed[time.Time, *array.Timestamp]{read: func(a *array.Timestamp, into []time.Time) {
			for i, at := range a.TimestampValues() {
				into[i] = at.ToTime(kind.Unit).UTC()
			}
		}}, nil
	default:
		return nil, fmt.Errorf("column %s has type %s, which this version of the plugin does not know: update the plugin", field.Name, field.Type)
	}
}

// typed is a column of V read from arrays of type A. Empty cells stay empty.
type typed[V any, A arrow.Array] struct {
	// read reads a batch whole, whatever stands where its cells are empty.
	read func(from A, into []V)
	all  []*V
}

func (c *typed[V, A]) take(batches []arrow.Array) error {
	rows := 0
	for _, batch := range batches {
		rows += batch.Len()
	}
	// Two allocations hold a column: its values, and the frame's pointers to them.
	held := make([]V, rows)
	c.all = make([]*V, rows)
	at := 0
	for _, batch := range batches {
		values, ok := batch.(A)
		if !ok {
			return fmt.Errorf("it came as %s", batch.DataType())
		}
		here := held[at : at+batch.Len()]
		c.read(values, here)
		full := batch.NullN() == 0
		for i := range here {
			if full || batch.IsValid(i) {
				c.all[at+i] = &here[i]
			}
		}
		at += len(here)
	}
	return nil
}

func (c *typed[V, A]) values() any {
	if c.all == nil {
		return []*V{}
	}
	return c.all
}

// fieldConfig says how Grafana shows a column.
func fieldConfig(field arrow.Field, currency string) *data.FieldConfig {
	value := func(key string) string { v, _ := field.Metadata.GetValue(key); return v }
	config := &data.FieldConfig{DisplayNameFromDS: value(fieldTitle), Description: value(fieldDescription)}
	switch value(fieldType) {
	case "day":
		config.Unit = "time:YYYY-MM-DD"
	case "instant":
		config.Unit = "time:YYYY-MM-DD HH:mm"
	}
	switch value(fieldUnit) {
	case "cents":
		config.Unit = currencyUnit(currency)
		config.Decimals = new(uint16(2))
	case "count":
		config.Unit = "locale"
	case "days":
		config.Unit = "suffix: days"
	case "fraction":
		config.Unit = "percentunit"
		config.Decimals = new(uint16(0))
	}
	return config
}

// symbols are the signs of the currencies that clinics here are paid in; another currency is shown by its code.
var symbols = map[string]string{
	"CAD": "$", "USD": "$", "AUD": "$", "NZD": "$", "SGD": "$", "KYD": "$", "GBP": "£", "EUR": "€",
}

// currencyUnit is Grafana's unit for whole amounts in a currency: it groups thousands and never says "K".
func currencyUnit(code string) string {
	if symbol, ok := symbols[code]; ok {
		return "currency:financial:" + symbol
	}
	if code == "" {
		return "none"
	}
	return "currency:financial:" + code + "\u00a0"
}
