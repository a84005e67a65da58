package plugin

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// widest is how many series one answer may be spread into.
const widest = 200

// spread turns a long frame into a wide one: a row for each value of the x column and a field for each value of the name
// column, as the query server says that the answer is drawn. Rows and fields keep the order of their first appearance;
// where a series has no row, its cell is empty and never zero.
func spread(long *data.Frame, schema *arrow.Schema) (*data.Frame, error) {
	metadata := schema.Metadata()
	value := func(key string) string { v, _ := metadata.GetValue(key); return v }
	x, _ := long.FieldByName(value(metaSeriesX))
	name, _ := long.FieldByName(value(metaSeriesName))
	cells, _ := long.FieldByName(value(metaSeriesValue))
	if x == nil || name == nil || cells == nil {
		return nil, &problem{
			Category: categoryQuery, Message: "This query cannot be shown as series",
			Hint: "Set its format to table",
		}
	}
	rowOf := map[any]int{}
	columnOf := map[string]int{}
	var rows []any
	var names []string
	for i := range long.Rows() {
		key, _ := x.ConcreteAt(i)
		if _, ok := rowOf[key]; !ok {
			rowOf[key] = len(rows)
			rows = append(rows, x.At(i))
		}
		label := text(name, i)
		if _, ok := columnOf[label]; !ok {
			columnOf[label] = len(names)
			names = append(names, label)
		}
	}
	if len(names) > widest {
		return nil, &problem{
			Category: categoryQuery, Message: fmt.Sprintf("The answer has more than %d series", widest),
			Hint: "Narrow the query's parameters, or set its format to table",
		}
	}
	wide := data.NewFrame(long.Name, data.NewFieldFromFieldType(x.Type(), len(rows)))
	wide.Meta = long.Meta
	wide.Fields[0].Name, wide.Fields[0].Config = x.Name, x.Config
	if x.Type() == data.FieldTypeNullableTime {
		// A time axis labels itself by what fits.
		axis := *x.Config
		axis.Unit = ""
		wide.Fields[0].Config = &axis
	}
	for i, at := range rows {
		wide.Fields[0].Set(i, at)
	}
	for _, label := range names {
		field := data.NewFieldFromFieldType(cells.Type(), len(rows))
		field.Name = label
		config := *cells.Config
		config.DisplayNameFromDS = label
		field.Config = &config
		wide.Fields = append(wide.Fields, field)
	}
	for i := range long.Rows() {
		key, _ := x.ConcreteAt(i)
		wide.Fields[1+columnOf[text(name, i)]].Set(rowOf[key], cells.At(i))
	}
	// Explore draws over time alone.
	wide.Meta.PreferredVisualization = data.VisTypeTable
	if x.Type() == data.FieldTypeNullableTime {
		wide.Meta.PreferredVisualization = data.VisTypeGraph
		wide.Meta.Type = data.FrameTypeTimeSeriesWide
		wide.Meta.TypeVersion = data.FrameTypeVersion{0, 1}
	}
	return wide, nil
}

// number keeps one column of numbers, and the columns of text that say what each row is about, all of them where labels is nil: what
// alert rules reckon with. Of a column of days or instants it gives how many days ago they were. A cell that is withheld or not known is
// left out, so that a rule takes it for missing and never for zero; of rows about the same the largest stands, since a rule takes one.
func number(long *data.Frame, column string, labels []string, now time.Time) (*data.Frame, error) {
	value, at := long.FieldByName(column)
	if value != nil && value.Type() == data.FieldTypeNullableTime {
		value = ages(value, now)
		long.Fields[at] = value
	}
	if value == nil || !value.Type().Numeric() {
		return nil, &problem{
			Category: categoryQuery, Message: fmt.Sprintf("The answer has no column of numbers called %q", column),
			Hint: "Give one of the query's own columns as value: falloff query shows them",
		}
	}
	keeps := func(i int, field *data.Field) bool {
		return i == at || field.Type() == data.FieldTypeNullableString && (labels == nil || slices.Contains(labels, field.Name))
	}
	kept := data.NewFrame(long.Name)
	kept.Meta = long.Meta
	for i, field := range long.Fields {
		if keeps(i, field) {
			kept.Fields = append(kept.Fields, data.NewFieldFromFieldType(field.Type(), 0))
			last := kept.Fields[len(kept.Fields)-1]
			last.Name, last.Config = field.Name, field.Config
		}
	}
	stands := map[string]int{}
	for row := range long.Rows() {
		if value.NilAt(row) {
			continue
		}
		var about []string
		for i, field := range long.Fields {
			if i != at && keeps(i, field) {
				about = append(about, strconv.Quote(text(field, row)))
			}
		}
		key := strings.Join(about, " ")
		if before, ok := stands[key]; ok {
			if larger(value, row, before) {
				stands[key] = row
			}
			continue
		}
		stands[key] = row
	}
	for _, row := range slices.Sorted(maps.Values(stands)) {
		to := 0
		for i, field := range long.Fields {
			if keeps(i, field) {
				kept.Fields[to].Append(field.At(row))
				to++
			}
		}
	}
	if kept.Rows() == 0 {
		return empty(kept), nil
	}
	kept.Meta.Type, kept.Meta.TypeVersion = data.FrameTypeNumericLong, data.FrameTypeVersion{0, 1}
	return kept, nil
}

// larger says whether a column's number in one row is larger than in another. Neither is empty.
func larger(of *data.Field, row, than int) bool {
	a, errA := of.NullableFloatAt(row)
	b, errB := of.NullableFloatAt(than)
	return errA == nil && errB == nil && a != nil && b != nil && *a > *b
}

// ages are how many days before now a column's instants were.
func ages(of *data.Field, now time.Time) *data.Field {
	days := make([]*float64, of.Len())
	for i := range days {
		if at, ok := of.At(i).(*time.Time); ok && at != nil {
			days[i] = new(now.Sub(*at).Hours() / 24)
		}
	}
	field := data.NewField(of.Name, nil, days)
	field.Config = &data.FieldConfig{Unit: "suffix: days"}
	return field
}

// tellable are colours that people with any kind of colour vision tell apart, each with a contrast of 3 on a dark ground and on a light
// one: the hues of Okabe and Ito's, without black and yellow, in shades that lie as far apart as those allow.
var tellable = []string{"#0CA0C7", "#E07514", "#20754B", "#B82B8C", "#106BDB", "#D00703"}

// Tellable are the colours of series, in their order: the dashboards' charts have the same.
func Tellable() []string { return slices.Clone(tellable) }

// colour gives the series of a wide frame colours that anyone can tell apart. Where there are more of them than such
// colours the panel chooses; an override of the panel wins in any case.
func colour(wide *data.Frame) {
	if len(wide.Fields)-1 > len(tellable) {
		return
	}
	for i, field := range wide.Fields[1:] {
		field.Config.Color = map[string]any{"mode": "fixed", "fixedColor": tellable[i]}
	}
}

// text is a cell as a series is called after it.
func text(field *data.Field, i int) string {
	value, ok := field.ConcreteAt(i)
	if !ok {
		return "(none)"
	}
	return fmt.Sprint(value)
}
