package plugin

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// question is what one query becomes: a request to the query server.
type question struct {
	path string
	body any
	// sql is the statement that is sent, where one is.
	sql string
}

// Modes of a query, as src/types.ts has them. A query without one, or with another, is a named query, as all were at first.
const (
	modeMetric = "metric"
	modeLeaks  = "leaks"
	modeSQL    = "sql"
)

// wireSQL is the body of POST /v1/sql.
type wireSQL struct {
	Clinic string `json:"clinic"`
	SQL    string `json:"sql"`
}

// question turns a query into a request.
func (d *Datasource) question(model queryModel, q backend.DataQuery) (question, error) {
	switch {
	case model.Mode == modeMetric && model.Metric.Name == "":
		return question{}, &problem{Category: categoryQuery, Message: "No metric is chosen", Hint: "Choose one in the query editor"}
	case model.Mode == modeSQL && model.SQL == "":
		return question{}, &problem{Category: categoryQuery, Message: "No SQL is written", Hint: "Write a SELECT in the query editor"}
	case model.Mode != modeMetric && model.Mode != modeSQL && model.Query == "":
		return question{}, &problem{Category: categoryQuery, Message: "No query is chosen", Hint: "Choose one in the query editor"}
	}
	clinic, err := d.clinicNamed(model.Clinic)
	if err != nil {
		return question{}, err
	}
	switch model.Mode {
	case modeMetric:
		wire, err := model.Metric.wire(clinic, model.Adhoc, q)
		if err != nil {
			return question{}, err
		}
		if model.UseTimeRange {
			wire.From, wire.To = rangeOf(q.TimeRange)
		}
		return question{path: "/v1/metric", body: wire}, nil
	case modeSQL:
		text, err := expand(model.SQL, q)
		if err != nil {
			return question{}, err
		}
		return question{path: "/v1/sql", body: wireSQL{clinic, text}, sql: text}, nil
	}
	wire := wireQuery{Clinic: clinic, Query: model.Query, Params: model.Params}
	if model.Mode == modeLeaks {
		if wire.Params, err = narrowed(model.Params, model.Adhoc); err != nil {
			return question{}, err
		}
	}
	if model.UseTimeRange {
		wire.From, wire.To = rangeOf(q.TimeRange)
	}
	return question{path: "/v1/query", body: wire}, nil
}

func rangeOf(r backend.TimeRange) (from, to string) {
	return r.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339)
}

// executed is what was asked, for Grafana's query inspector: the statement where there is one.
func executed(q question, schema *arrow.Schema) string {
	metadata := schema.Metadata()
	text, _ := metadata.GetValue(metaSQL)
	if q.sql != "" {
		text = q.sql
	}
	if text != "" {
		return text
	}
	body, err := json.MarshalIndent(q.body, "", "  ")
	if err != nil {
		return "POST " + q.path
	}
	return "POST " + q.path + "\n" + string(body)
}

// drawn is a frame as charts take it. A named query says how its answer is spread. The answer of a metric that is one curve says
// nothing: it is drawn as it is, its figure alone. An analyst's answer has the columns that its author gave it.
func drawn(frame *data.Frame, schema *arrow.Schema, mode string) (*data.Frame, error) {
	metadata := schema.Metadata()
	if _, spreads := metadata.GetValue(metaSeriesName); spreads || mode != modeMetric && mode != modeSQL {
		return spread(frame, schema)
	}
	if mode == modeMetric {
		frame.Fields = slices.DeleteFunc(frame.Fields, func(f *data.Field) bool { return f.Name == "of" || f.Name == "withheld" })
	}
	if len(frame.Fields) > 0 && frame.Fields[0].Type() == data.FieldTypeNullableTime {
		long := frame.TimeSeriesSchema().Type == data.TimeSeriesTypeLong
		if long && mode == modeSQL {
			return widened(frame)
		}
		frame.Meta.PreferredVisualization = data.VisTypeGraph
		if mode == modeMetric {
			axis := *frame.Fields[0].Config
			axis.Unit = "" // a time axis labels itself by what fits
			frame.Fields[0].Config = &axis
		}
	}
	return frame, nil
}

// widened makes a curve of each text of an analyst's answer, where its first column is a time.
func widened(frame *data.Frame) (*data.Frame, error) {
	wide, err := data.LongToWide(frame, nil)
	if err != nil {
		return nil, &problem{
			Category: categoryQuery, Message: "The answer cannot be shown as series",
			Hint: "Order it by its time, which comes first and is never empty, or set its format to table", cause: err,
		}
	}
	wide.Meta.PreferredVisualization = data.VisTypeGraph
	return wide, nil
}
