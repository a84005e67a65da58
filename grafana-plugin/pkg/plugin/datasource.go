// Package plugin is the backend of the falloff data source: it asks a falloff query server and hands Grafana frames. It
// opens no file, and needs neither cgo nor DuckDB.
package plugin

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// ID is the plugin's id, as src/plugin.json has it.
const ID = "falloff-falloff-datasource"

// atOnce is how many queries of one request are asked at the same time.
const atOnce = 4

var (
	_ backend.QueryDataHandler      = (*Datasource)(nil)
	_ backend.CheckHealthHandler    = (*Datasource)(nil)
	_ backend.CallResourceHandler   = (*Datasource)(nil)
	_ backend.StreamHandler         = (*Datasource)(nil)
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// Datasource is one configured data source.
type Datasource struct {
	backend.CallResourceHandler
	settings settings
	client   *client
	// broken is why the settings cannot work. It is told with every answer, so that the health check can say it.
	broken error
	// pollEvery is how often a stream asks.
	pollEvery time.Duration
}

// NewDatasource makes a data source from its settings. Settings that cannot work make one that says so.
func NewDatasource(_ context.Context, instance backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	d := &Datasource{pollEvery: pollEvery}
	d.CallResourceHandler = httpadapter.New(d.resources())
	d.settings, d.broken = readSettings(instance)
	if d.broken == nil {
		d.client, d.broken = newClient(d.settings)
	}
	return d, nil
}

// Dispose lets the connections go when the settings have changed.
func (d *Datasource) Dispose() {
	if d.client != nil {
		d.client.close()
	}
}

// queryModel mirrors FalloffQuery in src/types.ts.
type queryModel struct {
	// Query is a name out of the server's catalogue.
	Query  string         `json:"query"`
	Params map[string]any `json:"params"`
	// Format is table, series, matrix or number; empty is table. Value is the column that number is about, Labels those that say of what.
	Format string   `json:"format"`
	Value  string   `json:"value"`
	Labels []string `json:"labels"`
	// Mode is metric or sql; whatever else asks the named query.
	Mode   string      `json:"mode"`
	Metric metricModel `json:"metric"`
	SQL    string      `json:"sql"`
	// Adhoc are a dashboard's ad-hoc filters.
	Adhoc []filterModel `json:"adhoc"`
	// Desk is what is asked instead of a query: audit, support, events or banner. Kinds are those of events; none is all.
	Desk  string   `json:"desk"`
	Kinds []string `json:"kinds"`
	// Clinic is asked where the data source is not bound to one.
	Clinic string `json:"clinic"`
	// NoHeaders asks for no columns where there are no rows.
	NoHeaders bool `json:"noHeaders"` //nolint:tagliatelle // as Grafana spells its queries
	// UseTimeRange narrows the answer to the dashboard's time range, where the query knows how.
	UseTimeRange bool `json:"useTimeRange"` //nolint:tagliatelle // as Grafana spells its queries
}

// QueryData answers each query on its own: one that fails takes no other with it.
func (d *Datasource) QueryData(ctx context.Context, request *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	if askedByAlert(request) {
		ctx = onErrand(ctx, forAlert)
	}
	response := backend.NewQueryDataResponse()
	var (
		mu      sync.Mutex
		workers sync.WaitGroup
		slots   = make(chan struct{}, atOnce)
	)
	for _, q := range request.Queries {
		slots <- struct{}{}
		workers.Go(func() {
			defer func() { <-slots }()
			answer := d.answer(ctx, q)
			mu.Lock()
			defer mu.Unlock()
			response.Responses[q.RefID] = answer
		})
	}
	workers.Wait()
	return response, nil
}

func (d *Datasource) answer(ctx context.Context, q backend.DataQuery) backend.DataResponse {
	frame, err := d.frame(ctx, q)
	if err != nil {
		p := problemOf(err)
		if p.cause != nil {
			backend.Logger.FromContext(ctx).Error("a query failed", "refId", q.RefID, "category", string(p.Category), "error", p.cause)
		}
		status := p.status
		if status == 0 {
			status = backend.StatusBadRequest
		}
		return backend.ErrDataResponseWithSource(status, backend.ErrorSourceDownstream, p.Error())
	}
	if frame == nil {
		// No frame at all is what has a panel say its own sentence; columns without a row would show as bare headers.
		return backend.DataResponse{Frames: data.Frames{}}
	}
	frame.RefID = q.RefID
	return backend.DataResponse{Frames: data.Frames{frame}}
}

func (d *Datasource) frame(ctx context.Context, q backend.DataQuery) (*data.Frame, error) {
	if d.broken != nil {
		return nil, d.broken
	}
	var model queryModel
	if err := json.Unmarshal(q.JSON, &model); err != nil {
		return nil, &problem{Category: categoryQuery, Message: "The query cannot be read", Hint: "Choose it again in the query editor", cause: err}
	}
	if model.Desk != "" {
		clinic, err := d.clinicNamed(model.Clinic)
		if err != nil {
			return nil, err
		}
		return d.desk(ctx, model, q, clinic)
	}
	if model.Mode == modeMetric && model.Query != "" {
		model.Mode = "" // a saved named query that Grafana filled up with what a new query begins with
	}
	asked, err := d.question(model, q)
	if err != nil {
		return nil, err
	}
	stream, err := d.client.stream(ctx, asked)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	frame, schema, err := decode(stream)
	if err != nil {
		if ctx.Err() != nil {
			return nil, unreached(ctx.Err())
		}
		return nil, &problem{
			Category: categoryServer, Message: "The answer broke off or cannot be read",
			Hint: "Ask again; if it stays, the query server and this plugin are of different versions", status: backend.StatusBadGateway, cause: err,
		}
	}
	if frame.Rows() == 0 && (model.NoHeaders || model.Format == "number") {
		return empty(frame), nil
	}
	switch model.Format {
	case "", "table":
	case "number":
		if frame, err = number(frame, model.Value, model.Labels, time.Now()); err != nil {
			return nil, err
		}
	case "series", "matrix":
		if frame, err = drawn(frame, schema, model.Mode); err != nil {
			return nil, err
		}
		if model.Format == "series" {
			colour(frame)
		}
	default:
		return nil, &problem{Category: categoryQuery, Message: "The query's format is not known", Hint: "Choose table, series, matrix or number"}
	}
	if frame != nil {
		frame.Meta.ExecutedQueryString = executed(asked, schema)
	}
	return frame, nil
}

// empty is an answer without rows: nothing, or what there is to say about it without any column.
func empty(frame *data.Frame) *data.Frame {
	if len(frame.Meta.Notices) == 0 {
		return nil
	}
	frame.Fields = nil
	return frame
}
