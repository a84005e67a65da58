package plugin

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/grafana/grafana-plugin-sdk-go/data"
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
	var rows int64
	for reader.Next() {
		batch := reader.RecordBatch()
		if rows += batch.NumRows(); rows > mostRows {
			return nil, nil, fmt.Errorf("the answer has more than %d rows", mostRows)
		}
		for i := range columns {
			if err := columns[i].take(batch.Column(i)); err != nil {
				return nil, nil, fmt.Errorf("reading column %s: %w", schema.Field(i).Name, err)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return nil, nil, fmt.Errorf("reading the answer: %w", err)
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

// column gathers one field's values out of the batches.
type column interface {
	take(batch arrow.Array) error
	values() any
}

func newColumn(field arrow.Field) (column, error) {
	unit, _ := field.Metadata.GetValue(fieldUnit)
	switch kind := field.Type.(type) {
	case *arrow.StringType:
		return &typed[string, *array.String]{read: func(a *array.String, i int) string { return a.Value(i) }}, nil
	case *arrow.Int64Type:
		if unit == "cents" {
			return &typed[float64, *array.Int64]{read: func(a *array.Int64, i int) float64 { return float64(a.Value(i)) / 100 }}, nil
		}
		return &typed[int64, *array.Int64]{read: func(a *array.Int64, i int) int64 { return a.Value(i) }}, nil
	case *arrow.Float64Type:
		return &typed[float64, *array.Float64]{read: func(a *array.Float64, i int) float64 { return a.Value(i) }}, nil
	case *arrow.BooleanType:
		return &typed[bool, *array.Boolean]{read: func(a *array.Boolean, i int) bool { return a.Value(i) }}, nil
	case *arrow.TimestampType:
		return &typed[time.Time, *array.Timestamp]{
			read: func(a *array.Timestamp, i int) time.Time { return a.Value(i).ToTime(kind.Unit).UTC() },
		}, nil
	default:
		return nil, fmt.Errorf("column %s has type %s, which this version of the plugin does not know: update the plugin", field.Name, field.Type)
	}
}

// typed is a column of V read from arrays of type A. Empty cells stay empty.
type typed[V any, A arrow.Array] struct {
	read func(A, int) V
	all  []*V
}

func (c *typed[V, A]) take(batch arrow.Array) error {
	values, ok := batch.(A)
	if !ok {
		return fmt.Errorf("it came as %s", batch.DataType())
	}
	// One allocation holds a batch's values; the frame points into it.
	held := make([]V, values.Len())
	for i := range held {
		if values.IsNull(i) {
			c.all = append(c.all, nil)
			continue
		}
		held[i] = c.read(values, i)
		c.all = append(c.all, &held[i])
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
