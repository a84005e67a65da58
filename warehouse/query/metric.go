package query

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

// MetaSQL has the statement that answered a question about a metric, with its values written out: what falloff sql takes.
const MetaSQL = "falloff.sql"

// Bounds of one question about a metric.
const (
	// MostSplits is how many dimensions a figure is split by at most, beside its months.
	MostSplits  = 2
	mostFilters = 10
	mostValues  = 200
)

// MetricRequest asks a figure of the metric dictionary.
type MetricRequest struct {
	Metric string `json:"metric"`
	// By are the dimensions that it is split by, two at most.
	By []string `json:"by,omitempty"`
	// Grain splits it by time besides: week, month, quarter or year; empty does not.
	Grain string `json:"grain,omitempty"`
	// Filters narrow it.
	Filters []Filter `json:"filters,omitempty"`
	// From and To bound its weeks or months, those that they lie in included; zero is open.
	From civil.Date `json:"from,omitzero"`
	To   civil.Date `json:"to,omitzero"`
	// Released asks for what may be told to whoever may see no rows: cells of released tables, as they are.
	Released bool `json:"-"`
}

// Filter keeps the rows whose dimension has one of the values or, with Not, has none of them.
type Filter struct {
	Dimension string   `json:"dimension"`
	Not       bool     `json:"not,omitempty"`
	Values    []string `json:"values"`
}

// UnknownMetricError says that no metric has the name.
type UnknownMetricError struct{ Name string }

func (e *UnknownMetricError) Error() string {
	return fmt.Sprintf("there is no metric named %q", e.Name)
}

// Hint says what to do.
func (e *UnknownMetricError) Hint() string { return "the dictionary lists the names: GET /v1/metrics" }

// metrics are those of the dictionary, read once: they are part of the program.
var metrics = sync.OnceValues(dictionary.Metrics)

var martMention = regexp.MustCompile(`\bmarts\.([a-z_]+)`)

// lackingMarts says which marts of a metric are not loaded, in words; empty where all are.
func (e *Engine) lackingMarts(m dictionary.Metric) string {
	var missing []string
	for _, mart := range MetricMarts(m) {
		if !e.present[mart] {
			missing = append(missing, "mart "+mart)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "it has no " + strings.Join(missing, ", ")
}

// LookupMetric finds a metric by name.
func LookupMetric(name string) (dictionary.Metric, error) {
	all, err := metrics()
	if err != nil {
		return dictionary.Metric{}, fmt.Errorf("reading the metric dictionary: %w", err)
	}
	at := slices.IndexFunc(all, func(m dictionary.Metric) bool { return m.Name == name })
	if at < 0 {
		return dictionary.Metric{}, &UnknownMetricError{Name: clip(name)}
	}
	return all[at], nil
}

// MetricSQL says what a question about a metric would be answered with: it checks the question and runs nothing.
func (e *Engine) MetricSQL(request MetricRequest) (sql string, err error) {
	m, err := LookupMetric(request.Metric)
	if err != nil {
		return "", err
	}
	p, err := e.plan(m, request)
	if err != nil {
		return "", err
	}
	return p.shown(), nil
}

// RunMetric answers a question about a metric. Its errors are those of Run, and UnknownMetricError.
func (e *Engine) RunMetric(ctx context.Context, request MetricRequest) (*Answer, error) {
	m, err := LookupMetric(request.Metric)
	if err != nil {
		return nil, err
	}
	p, err := e.plan(m, request)
	if err != nil {
		return nil, err
	}
	answer, err := e.answer(ctx, p.definition(), p.bound)
	if err != nil {
		return nil, err
	}
	answer.note(MetaSQL, p.shown())
	if request.Released {
		answer.note(MetaNote, e.note(p.released(), p.bound, answer.Withheld))
	} else {
		answer.note(MetaNote, p.says)
	}
	return answer, nil
}

// Choice is one value of a dimension, which filters take, and what answers call it.
type Choice struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// MetricValues lists the values that a dimension of a metric has, as whoever asks may see them.
func (e *Engine) MetricValues(ctx context.Context, metric, dimension string, released bool) ([]Choice, error) {
	m, err := LookupMetric(metric)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(m.Splits(), func(d dictionary.Dimension) bool { return d.Name == dimension }) {
		return nil, refusedSplit(m, dimension)
	}
	p := &metricPlan{metric: m, bound: map[string]any{}, engine: e}
	if err := p.values(dimension, released); err != nil {
		return nil, err
	}
	answer, err := e.answer(ctx, p.definition(), p.bound)
	if err != nil {
		return nil, err
	}
	defer answer.Release()
	texts, values := answer.texts(0), answer.texts(1)
	all := make([]Choice, len(values))
	for i := range values {
		all[i] = Choice{Text: texts[i], Value: values[i]}
	}
	return all, nil
}

// plan turns a question into SQL. Its identifiers are the dictionary's, its values are bound.
func (e *Engine) plan(m dictionary.Metric, request MetricRequest) (*metricPlan, error) {
	p := &metricPlan{metric: m, request: request, bound: map[string]any{}, engine: e}
	if err := p.check(); err != nil {
		return nil, err
	}
	if request.Released {
		return p, p.fromReleased()
	}
	return p, p.fromMarts()
}

// metricPlan is a question on its way to SQL.
type metricPlan struct {
	metric  dictionary.Metric
	request MetricRequest
	engine  *Engine
	// bound are the values of parameters by name, in the order of their making in names.
	bound map[string]any
	names []string
	// columns, text and order are the answer's.
	columns []Column
	text    string
	order   []string
	series  *Series
	// table is the released table that it is answered from.
	table string
	// says is what the person who asks should know of the answer.
	says string
}

// refuse says that a part of the question cannot be answered.
func (p *metricPlan) refuse(part, reason, hint string) error {
	return &ParameterError{Query: p.metric.Name, Parameter: part, Reason: reason, hint: hint}
}

func refusedSplit(m dictionary.Metric, dimension string) error {
	var names []string
	for _, d := range m.Splits() {
		names = append(names, d.Name)
	}
	return &ParameterError{
		Query: m.Name, Parameter: clip(dimension), Reason: "the metric is not split by it", hint: "it is split by: " + strings.Join(names, ", "),
	}
}

// check holds the question to what the dictionary says of the metric.
func (p *metricPlan) check() error {
	m, r := p.metric, p.request
	if len(r.By) > MostSplits {
		return p.refuse("by", fmt.Sprintf("it is split by more than %d dimensions", MostSplits), fmt.Sprintf("choose %d at most, and months besides", MostSplits))
	}
	if len(r.Filters) > mostFilters {
		return p.refuse("filters", "there are too many", fmt.Sprintf("send at most %d", mostFilters))
	}
	if r.Grain != "" && !slices.Contains(m.Grains(), r.Grain) {
		hint := "leave the grain out: the metric is about the day of the snapshot"
		if len(m.Grains()) > 0 {
			hint = "send one of: " + strings.Join(m.Grains(), ", ")
		}
		return p.refuse("grain", "the metric is not known by it", hint)
	}
	known := func(name string) bool {
		return slices.ContainsFunc(m.Splits(), func(d dictionary.Dimension) bool { return d.Name == name })
	}
	for i, name := range r.By {
		if !known(name) {
			return refusedSplit(m, name)
		}
		if slices.Contains(r.By[:i], name) {
			return p.refuse("by", "a dimension is there twice", "name each once")
		}
	}
	for _, f := range r.Filters {
		if !known(f.Dimension) {
			return refusedSplit(m, f.Dimension)
		}
		if len(f.Values) == 0 || len(f.Values) > mostValues {
			return p.refuse(f.Dimension, "a filter needs values, and not too many", fmt.Sprintf("send 1 to %d values", mostValues))
		}
		if slices.ContainsFunc(f.Values, func(v string) bool { return len(v) > longestText }) {
			return p.refuse(f.Dimension, "a value is too long", fmt.Sprintf("send at most %d bytes", longestText))
		}
	}
	return nil
}

// touched are the dimensions that the question splits by or filters, each once.
func (p *metricPlan) touched() []string {
	names := slices.Clone(p.request.By)
	for _, f := range p.request.Filters {
		if !slices.Contains(names, f.Dimension) {
			names = append(names, f.Dimension)
		}
	}
	return names
}

// bind makes a parameter of a value and gives its place in the SQL.
func (p *metricPlan) bind(value any) string {
	n := len(p.names)
	name := "p_" + string(rune('a'+n/26/26%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n%26))
	p.names = append(p.names, name)
	p.bound[name] = value
	return "$" + name
}

// bindAll binds a list of values.
func (p *metricPlan) bindAll(values []string) string {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = p.bind(v)
	}
	return strings.Join(places, ", ")
}

// definition is the plan as the engine answers it.
func (p *metricPlan) definition() Definition {
	return Definition{
		Name: p.metric.Name, Title: p.metric.Title, Columns: p.columns, Series: p.series, text: p.text, order: strings.Join(p.order, ", "),
	}
}

// released is the plan as a note about released tables needs it.
func (p *metricPlan) released() Definition {
	return Definition{Name: p.metric.Name, text: p.text, Released: &Released{Tables: []string{p.table}, Says: p.says}}
}

// shown is the SQL with its values written out, for people to read and to run elsewhere.
func (p *metricPlan) shown() string {
	text := placeholder.ReplaceAllStringFunc(p.text, func(name string) string { return literal(p.bound[name[1:]]) })
	var order []string
	for _, c := range p.columns {
		if c.Name == "time" || slices.Contains(p.request.By, c.Name) {
			order = append(order, quoted(c.Name))
		}
	}
	if len(order) == 0 {
		return text
	}
	return text + "\norder by " + strings.Join(order, ", ")
}

// literal is a value as SQL writes it.
func literal(value any) string {
	if value == nil {
		return "null"
	}
	return "'" + strings.ReplaceAll(fmt.Sprint(value), "'", "''") + "'"
}

// split is the column of a dimension that the answer is split by.
func split(d dictionary.Dimension) Column {
	c := Column{Name: d.Name, Title: d.Title, Type: Text, Description: d.About}
	if d.Kind == dictionary.Ordinal {
		c.Type = Integer
	}
	return c
}

// figure is the column of the figure itself.
func figure(m dictionary.Metric) Column {
	c := Column{Name: "value", Title: m.Title, Type: Number, Description: m.Definition}
	switch m.Unit {
	case "cents":
		c.Type, c.Unit = Integer, Cents
	case "share":
		c.Unit = Fraction
	case "days":
		c.Unit = Days
	case "visits":
	default:
		c.Type, c.Unit = Integer, Count
	}
	return c
}
