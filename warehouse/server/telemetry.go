package server

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// metrics are what Prometheus is told of the server. Labels are routes and statuses: no clinic, no person, no query's parameter.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	took       *prometheus.HistogramVec
	cached     *prometheus.CounterVec
	unrecorded prometheus.Counter
	unsent     prometheus.Counter
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "falloff_requests_total", Help: "Requests by route and status.",
		}, []string{"route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "falloff_request_seconds", Help: "Time to the whole answer, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		cached: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "falloff_answers_total", Help: "Answers of named queries, by whether they were kept ones.",
		}, []string{"kept"}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "falloff_unrecorded_total", Help: "Requests that were not answered because the audit log took no record.",
		}),
		unsent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "falloff_unsent_total", Help: "Answers that were not taken to their end: the client had gone, or read too slowly.",
		}),
	}
	for _, kept := range []string{"true", "false"} {
		m.cached.WithLabelValues(kept) // told from the start, so that a share of none is a share
	}
	m.registry.MustRegister(m.requests, m.took, m.cached, m.unrecorded, m.unsent,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "falloff_questions_open", Help: "Questions that are computed, or wait for their turn."},
			func() float64 { return float64(s.flights.count()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "falloff_sending_bytes", Help: "Bytes of the answers that are on their way."},
			func() float64 { return float64(s.sending.bytes()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "falloff_snapshots_open", Help: "Snapshots that are loaded."},
			func() float64 { return float64(s.snapshots.count()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "falloff_answers_bytes", Help: "Bytes of the answers that are kept."},
			func() float64 { return float64(s.answers.bytes()) }))
	return m
}

// measured counts, times and traces the requests of a route. A caller's own trace goes on.
func (s *Server) measured(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorded := &statusWriter{ResponseWriter: w}
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := s.options.Tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer))
		next.ServeHTTP(recorded, r.WithContext(ctx))
		span.SetAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", recorded.status), attribute.Int64("bytes", recorded.bytes))
		span.End()
		s.metrics.requests.WithLabelValues(route, strconv.Itoa(recorded.status)).Inc()
		s.metrics.took.WithLabelValues(route).Observe(time.Since(began).Seconds())
	})
}

// telemetry is the Prometheus endpoint.
func (v *visit) telemetry() (*reply, error) {
	gather := prometheus.Gatherers{v.server.metrics.registry}
	if more := v.server.options.Gather; more != nil {
		gather = append(gather, more)
	}
	families, err := gather.Gather()
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&body, family); err != nil {
			return nil, err
		}
	}
	return &reply{status: http.StatusOK, kind: "text/plain; version=0.0.4; charset=utf-8", body: body.Bytes()}, nil
}
