package rules

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// start is the instant 0 of the stories, so that a time stamp in them can be written down as how many seconds it is after their beginning.
var start = time.Unix(0, 0).UTC()

// scrape is how often Prometheus asks, here and in infra/compose/prometheus.yml.
const scrape = time.Minute

func engine(t *testing.T) *promql.Engine {
	t.Helper()
	e := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return scrape.Milliseconds() },
		Parser:                   parser.NewParser(parser.Options{}),
	})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// series are what Prometheus was told.
type series []promql.Series

// load reads series in Prometheus' own notation for tests.
func load(t *testing.T, written map[string]string) (out series) {
	t.Helper()
	p := parser.NewParser(parser.Options{})
	for _, name := range slices.Sorted(maps.Keys(written)) {
		metric, values, err := p.ParseSeriesDesc(name + " " + written[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := promql.Series{Metric: metric}
		for i, v := range values {
			if !v.Omitted {
				s.Floats = append(s.Floats, promql.FPoint{T: timestamp.FromTime(start.Add(time.Duration(i) * scrape)), F: v.Value})
			}
		}
		out = append(out, s)
	}
	return out
}

// Querier implements storage.Queryable.
func (s series) Querier(_, _ int64) (storage.Querier, error) { return querier{series: s}, nil }

type querier struct{ series series }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found series
	for _, s := range q.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Metric.Get(m.Name)) }) {
			found = append(found, s)
		}
	}
	return &seriesSet{series: found, at: -1}
}

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (querier) Close() error { return nil }

type seriesSet struct {
	series series
	at     int
}

func (s *seriesSet) Next() bool                      { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series              { return promql.NewStorageSeries(s.series[s.at]) }
func (*seriesSet) Err() error                        { return nil }
func (*seriesSet) Warnings() annotations.Annotations { return nil }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
