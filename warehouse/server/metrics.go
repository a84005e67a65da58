package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/sandbox"
)

// Sources of a metric's answer.
const (
	fromRows     = "rows"
	fromCaseload = "caseload"
	fromReleased = "released"
)

// metricEntry is an entry of the dictionary, and how the caller may ask it.
type metricEntry struct {
	dictionary.Metric

	// Splits are what it may be split by and narrowed to, Grains the lengths of time.
	Splits []dictionary.Dimension `json:"splits"`
	Grains []string               `json:"grains"`
	// Needed are what it must be split by, or narrowed to one value of: figures of several are not to be combined.
	Needed []string `json:"needed"`
	// Source is what the caller is answered from: rows, those of a caseload, or released tables; empty where not at all.
	Source string `json:"source_of_answers"`
	// Released are the ways to split it for whoever is answered from released tables.
	Released [][]string `json:"released,omitempty"`
}

// listMetrics lists the entries of the metric dictionary that the caller may see: at the clinic that is named, or at any.
func (v *visit) listMetrics() (*reply, error) {
	clinics := []string{v.http.URL.Query().Get("clinic")}
	if clinics[0] == "" {
		all, err := v.clinics()
		if err != nil {
			return nil, fmt.Errorf("listing the clinics: %w", err)
		}
		clinics = all
	}
	all, err := dictionary.Metrics()
	if err != nil {
		return nil, fmt.Errorf("reading the metric dictionary: %w", err)
	}
	list := []metricEntry{}
	for _, m := range all {
		entry := metricEntry{Metric: m, Splits: m.Splits(), Grains: m.Grains(), Needed: m.Needed()}
		seen := false
		for _, clinic := range clinics {
			seen = seen || !v.sees.Metric(clinic, m.Name).None()
			entry.Source = better(entry.Source, sourceOf(v.sightOfMetric(clinic, m)))
		}
		if entry.Source == fromReleased {
			entry.Released = query.MetricReleased(m)
		}
		if seen {
			list = append(list, entry)
		}
	}
	return asJSON(map[string]any{"metrics": list})
}

// sourceOf names what somebody is answered from.
func sourceOf(how sight) string {
	switch {
	case how.reach.None():
		return ""
	case how.released:
		return fromReleased
	case how.reach.Everyones():
		return fromRows
	default:
		return fromCaseload
	}
}

// better is the one of two sources that tells more.
func better(a, b string) string {
	order := []string{"", fromCaseload, fromReleased, fromRows}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// metricRequest is the body of POST /v1/metric.
type metricRequest struct {
	Clinic  string         `json:"clinic"`
	Metric  string         `json:"metric"`
	By      []string       `json:"by"`
	Grain   string         `json:"grain"`
	Filters []query.Filter `json:"filters"`
	From    string         `json:"from"`
	To      string         `json:"to"`
}

// metric answers a question about a metric.
func (v *visit) metric() (*reply, error) {
	clinic, request, m, err := v.readMetric()
	if err != nil {
		return nil, err
	}
	engine, view, how, release, err := v.askMetric(clinic, m)
	if err != nil {
		return nil, err
	}
	request.Released = how.released
	key, err := v.keyOfMetric(clinic, m, request, engine, view)
	if err != nil {
		release()
		return nil, err
	}
	return v.kept(key, engine, view, release, func(ctx context.Context) (*query.Answer, error) { return engine.RunMetric(ctx, request) })
}

// keyOfMetric is the key of an answer about a metric.
func (v *visit) keyOfMetric(clinic string, m dictionary.Metric, request query.MetricRequest, engine Engine, view View) (answerKey, error) {
	said, err := v.showSaid(clinic, query.MetricMarts(m), engine)
	if err != nil {
		return answerKey{}, err
	}
	return keyOf("metric", clinic, engine.Meta().Commit, view, request.Released, said, request)
}

// metricSQL says what a question about a metric would be answered with. It has no figure in it.
func (v *visit) metricSQL() (*reply, error) {
	clinic, request, m, err := v.readMetric()
	if err != nil {
		return nil, err
	}
	engine, _, how, release, err := v.askMetric(clinic, m)
	if err != nil {
		return nil, err
	}
	defer release()
	request.Released = how.released
	text, err := engine.MetricSQL(request)
	if err != nil {
		return nil, err
	}
	return asJSON(map[string]any{"sql": text, "source_of_answers": sourceOf(how)})
}

// metricValues lists the values that a filter of a metric may choose from, as the caller may see them.
func (v *visit) metricValues() (*reply, error) {
	asked := v.http.URL.Query()
	clinic := asked.Get("clinic")
	if clinic == "" {
		return nil, noClinic()
	}
	m, err := query.LookupMetric(asked.Get("metric"))
	if err != nil {
		return nil, err
	}
	engine, _, how, release, err := v.askMetric(clinic, m)
	if err != nil {
		return nil, err
	}
	defer release()
	choices, err := engine.MetricValues(v.http.Context(), m.Name, asked.Get("dimension"), how.released)
	if err != nil {
		return nil, err
	}
	// Callers of before there were choices read the values alone.
	values := make([]string, len(choices))
	for i, c := range choices {
		values[i] = c.Value
	}
	return asJSON(map[string]any{"values": values, "choices": choices})
}

// readMetric reads what is asked of a metric, and notes it.
func (v *visit) readMetric() (clinic string, request query.MetricRequest, m dictionary.Metric, err error) {
	decoder := json.NewDecoder(http.MaxBytesReader(v.body, v.http.Body, largestBody))
	decoder.DisallowUnknownFields()
	var body metricRequest
	if err := decoder.Decode(&body); err != nil {
		return "", request, m, badBody(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return "", request, m, badBody(errors.New("something follows the object"))
	}
	if body.Clinic == "" {
		return "", request, m, noClinic()
	}
	request = query.MetricRequest{Metric: body.Metric, By: body.By, Grain: body.Grain, Filters: body.Filters}
	if m, err = query.LookupMetric(body.Metric); err != nil {
		return "", request, m, err
	}
	for _, end := range []struct {
		name, text string
		day        *civil.Date
	}{{"from", body.From, &request.From}, {"to", body.To, &request.To}} {
		if *end.day, err = readDay(end.text); err != nil {
			return "", request, m, &refusal{http.StatusBadRequest, codeBadRequest, end.name + " is neither a day nor an instant", "send YYYY-MM-DD, or RFC 3339"}
		}
	}
	sent, err := json.Marshal(request)
	if err != nil {
		return "", request, m, fmt.Errorf("noting what was asked: %w", err)
	}
	v.event.Sent = sum(sent)
	return body.Clinic, request, m, nil
}

// explained is what the dictionary says of the marts. It is found out once, when somebody asks for it first.
type explained struct {
	mu     sync.Mutex
	tables []dictionary.Table
}

func (e *explained) marts(ctx context.Context) ([]dictionary.Table, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tables == nil {
		// Who asked first may go: the next one needs it too.
		all, err := dictionary.Tables(context.WithoutCancel(ctx))
		if err != nil {
			return nil, fmt.Errorf("explaining the tables: %w", err)
		}
		e.tables = slices.DeleteFunc(all, func(t dictionary.Table) bool { return t.Schema != "marts" })
	}
	return e.tables, nil
}

// tableColumn is one column of GET /v1/tables.
type tableColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Unit    string `json:"unit,omitempty"`
	Meaning string `json:"meaning"`
}

// tableEntry is one table of GET /v1/tables.
type tableEntry struct {
	Name    string        `json:"name"`
	Grain   string        `json:"grain"`
	Columns []tableColumn `json:"columns"`
}

// listTables says what the caller may write SQL over, and of what functions.
func (v *visit) listTables() (*reply, error) {
	clinic := v.http.URL.Query().Get("clinic")
	if clinic == "" {
		return nil, noClinic()
	}
	marts, err := v.statement(clinic)
	if err != nil {
		return nil, err
	}
	all, err := v.server.tables.marts(v.http.Context())
	if err != nil {
		return nil, err
	}
	list := []tableEntry{}
	for _, t := range all {
		if !slices.Contains(marts, t.Name) {
			continue
		}
		entry := tableEntry{Name: t.FullName(), Grain: t.Grain, Columns: []tableColumn{}}
		for _, c := range t.Columns {
			entry.Columns = append(entry.Columns, tableColumn{Name: c.Name, Type: c.Type, Unit: c.Unit, Meaning: c.Meaning})
		}
		list = append(list, entry)
	}
	return asJSON(map[string]any{"tables": list, "functions": sandbox.Functions()})
}
