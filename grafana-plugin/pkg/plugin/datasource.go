// Package plugin is the backend of the falloff data source: it asks a falloff query server and hands Grafana frames. It
// opens no file, and needs neither cgo nor DuckDB.
package plugin

import (
	"context"
	"encoding/json"
	"sync"

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
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// Datasource is one configured data source.
type Datasource struct {
	backend.CallResourceHandler
	settings settings
	client   *client
	// broken is why the settings cannot work. It is told with every answer, so that the health check can say it.
	broken error
}

// NewDatasource makes a data source from its settings. Settings that cannot work make one that says so.
func NewDatasource(_ context.Context, instance backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	d := &Datasource{}
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
	// Format is table, series or matrix; empty is table.
	Format string `json:"format"`
	// Mode is metric or sql; whatever else asks the named query.
	Mode   string      `json:"mode"`
	Metric metricModel `json:"metric"`
	SQL    string      `json:"sql"`
	// Adhoc are a dashboard's ad-hoc filters.
	Adhoc []filterModel `json:"adhoc"`
	// Clinic is asked where the data source is not bound to one.
	Clinic string `json:"clinic"`
	// UseTimeRange narrows the answer to the dashboard's time range, where the query knows how.
	UseTimeRange bool `json:"useTimeRange"` //nolint:tagliatelle // as Grafana spells its queries
}

// QueryData answers each query on its own: one that fails takes no other with it.
func (d *Datasource) QueryData(ctx context.Context, request *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
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
	switch model.Format {
	case "", "table":
	case "series", "matrix":
		if frame, err = drawn(frame, schema, model.Mode); err != nil {
			return nil, err
		}
		if model.Format == "series" {
			colour(frame)
		}
	default:
		return nil, &problem{Category: categoryQuery, Message: "The query's format is not known", Hint: "Choose table, series or matrix"}
	}
	frame.Meta.ExecutedQueryString = executed(asked, schema)
	return frame, nil
}
