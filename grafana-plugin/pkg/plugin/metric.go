package plugin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// metaSQL is the statement that the query server answered a metric with.
const metaSQL = "falloff.sql"

// metricModel mirrors MetricQuery in src/types.ts.
type metricModel struct {
	Name string   `json:"name"`
	By   []string `json:"by"`
	// Grain is week, month, quarter or year; auto is what fits the panel, and empty is none.
	Grain   string        `json:"grain"`
	Filters []filterModel `json:"filters"`
}

// filterModel is one filter, of the query or of the dashboard. Grafana gives one value as Value, several as Values.
type filterModel struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Value    string   `json:"value"`
	Values   []string `json:"values"`
}

// wireMetric is the body of POST /v1/metric.
type wireMetric struct {
	Clinic  string       `json:"clinic"`
	Metric  string       `json:"metric"`
	By      []string     `json:"by,omitempty"`
	Grain   string       `json:"grain,omitempty"`
	Filters []wireFilter `json:"filters,omitempty"`
	From    string       `json:"from,omitempty"`
	To      string       `json:"to,omitempty"`
}

type wireFilter struct {
	Dimension string   `json:"dimension"`
	Not       bool     `json:"not,omitempty"`
	Values    []string `json:"values"`
}

// all is what variables have for everything: it filters nothing.
const all = "all"

// wire is the question to the query server.
func (m metricModel) wire(clinic string, adhoc []filterModel, q backend.DataQuery) (wireMetric, error) {
	wire := wireMetric{Clinic: clinic, Metric: m.Name, By: m.By, Grain: m.Grain}
	if m.Grain == "auto" {
		wire.Grain = coarse(unitOf(q))
	}
	for _, f := range slices.Concat(m.Filters, adhoc) {
		values, not, err := f.read()
		if err != nil {
			return wireMetric{}, err
		}
		if f.Key == "" || len(values) == 0 || !not && slices.Contains(values, all) {
			continue
		}
		wire.Filters = append(wire.Filters, wireFilter{f.Key, not, values})
	}
	return wire, nil
}

// preview is the question as the editor shows its SQL: without a panel, so that auto is a month.
func (m metricModel) preview(clinic string) (wireMetric, error) {
	if m.Grain == "auto" {
		m.Grain = "month"
	}
	return m.wire(clinic, nil, backend.DataQuery{})
}

// read gives a filter's values, and whether they are left out.
func (f filterModel) read() (values []string, not bool, err error) {
	values = f.Values
	if len(values) == 0 && f.Value != "" {
		values = []string{f.Value}
	}
	switch f.Operator {
	case "=", "=|", "":
		return values, false, nil
	case "!=", "!=|":
		return values, true, nil
	default:
		return nil, false, &problem{
			Category: categoryQuery, Message: fmt.Sprintf("Nothing is filtered by the operator %s", clip(f.Operator)), Hint: "Use =, !=, or one of several values",
		}
	}
}

// leakFilters are the parameters of the list of leaks that a dashboard's ad-hoc filters set.
var leakFilters = []string{"category", "certainty", "discipline", "location", "payer", "staff_member", "state", "assignee"}

// narrowed sets the parameters that ad-hoc filters are about. The list of leaks takes one value of each.
func narrowed(params map[string]any, adhoc []filterModel) (map[string]any, error) {
	out := map[string]any{}
	maps.Copy(out, params)
	for _, f := range adhoc {
		values, not, err := f.read()
		switch {
		case err != nil:
			return nil, err
		case len(values) == 0:
			continue
		case !slices.Contains(leakFilters, f.Key):
			return nil, &problem{
				Category: categoryQuery, Message: fmt.Sprintf("The list of leaks is not filtered by %s", clip(f.Key)), Hint: "Use one of " + strings.Join(leakFilters, ", "),
			}
		case not || len(values) > 1:
			return nil, &problem{
				Category: categoryQuery, Message: "The list of leaks takes one value of each filter", Hint: "Choose one value of " + f.Key + ", with =",
			}
		}
		out[f.Key] = values[0]
	}
	return out, nil
}

// clip keeps a stranger's text short.
func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}

// unitOf is the length of time that fits the panel: as many points as there is room for, and no more.
func unitOf(q backend.DataQuery) string {
	const dayLong = 24 * time.Hour
	every := q.Interval
	if points := q.MaxDataPoints; points > 0 {
		// Grafana's interval is rounded; a curve of a clinic needs no more than a point a day, and reads well with sixty of them.
		every = max(every, q.TimeRange.To.Sub(q.TimeRange.From)/time.Duration(min(points, 60)))
	}
	switch {
	case every <= dayLong:
		return "day"
	case every <= 7*dayLong:
		return "week"
	case every <= 31*dayLong:
		return "month"
	case every <= 92*dayLong:
		return "quarter"
	default:
		return "year"
	}
}

// coarse is a unit that metrics are known by: months at least, as most are.
func coarse(unit string) string {
	if unit == "day" || unit == "week" {
		return "month"
	}
	return unit
}
