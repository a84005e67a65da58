package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// Telemetry is where spans and metrics of a process go.
type Telemetry struct {
	Tracer trace.Tracer
	Meter  metric.Meter
	stop   []func(context.Context) error
}

// Options say where telemetry goes and what it says of the process.
type Options struct {
	// Endpoint is the OTLP/HTTP collector, as OTEL_EXPORTER_OTLP_ENDPOINT has it; empty tells nobody. Plain http is for this machine.
	Endpoint string
	Version  string
	// Failed is told, redacted, of what could not be sent. Telemetry that cannot be sent ends nothing.
	Failed func(text string)
}

// Endpoint reads OpenTelemetry's own environment variable.
func Endpoint() string { return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") }

const (
	scope       = "github.com/falloff-analytics/falloff"
	metricEvery = 30 * time.Second
	stopWithin  = 5 * time.Second
)

// Start begins to gather. Headers that a collector wants, such as its key, are read from OTEL_EXPORTER_OTLP_HEADERS by
// OpenTelemetry itself and are told nowhere.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Endpoint == "" {
		return &Telemetry{Tracer: nooptrace.NewTracerProvider().Tracer(scope), Meter: noopmetric.NewMeterProvider().Meter(scope)}, nil
	}
	if err := mayTell(o.Endpoint); err != nil {
		return nil, err
	}
	tracing := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(joined(o.Endpoint, "v1/traces")), otlptracehttp.WithTimeout(stopWithin), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}),
	}
	metering := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpointURL(joined(o.Endpoint, "v1/metrics")), otlpmetrichttp.WithTimeout(stopWithin), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}),
	}
	if strings.HasPrefix(o.Endpoint, "https:") {
		secure := &tls.Config{MinVersion: tls.VersionTLS13}
		tracing, metering = append(tracing, otlptracehttp.WithTLSClientConfig(secure)), append(metering, otlpmetrichttp.WithTLSClientConfig(secure))
	}
	spans, err := otlptracehttp.New(ctx, tracing...)
	if err != nil {
		return nil, fmt.Errorf("starting traces: %s", Redact(err.Error()))
	}
	figures, err := otlpmetrichttp.New(ctx, metering...)
	if err != nil {
		return nil, fmt.Errorf("starting metrics: %s", Redact(err.Error()))
	}
	return start(o, spans, figures), nil
}

func start(o Options, spans sdktrace.SpanExporter, figures sdkmetric.Exporter) *Telemetry {
	// Not OpenTelemetry's own resource: it holds the machine's name, the user's, and the command line.
	of := resource.NewSchemaless(attribute.String("service.name", "falloff"), attribute.String("service.version", o.Version))
	tracing := sdktrace.NewTracerProvider(sdktrace.WithBatcher(redactingSpans{spans, o.told()}), sdktrace.WithResource(of))
	metering := sdkmetric.NewMeterProvider(sdkmetric.WithResource(of),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(redactingMetrics{figures, o.told()}, sdkmetric.WithInterval(metricEvery))))
	return &Telemetry{Tracer: tracing.Tracer(scope), Meter: metering.Meter(scope), stop: []func(context.Context) error{tracing.Shutdown, metering.Shutdown}}
}

func (o Options) told() func(error) error {
	return func(err error) error {
		if err != nil && o.Failed != nil {
			o.Failed("telemetry could not be sent: " + Redact(err.Error()))
		}
		return nil
	}
}

// Stop sends what is left, within five seconds.
func (t *Telemetry) Stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	for _, stop := range t.stop {
		_ = stop(ctx) // what failed was told where it failed
	}
}

// mayTell refuses a collector to which telemetry would go unencrypted through a network.
func mayTell(endpoint string) error {
	at, err := url.Parse(endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no address of a collector: give it as https://collector.example:4318")
	}
	if ip := net.ParseIP(at.Hostname()); at.Scheme == "http" && (ip == nil || !ip.IsLoopback()) && at.Hostname() != "localhost" {
		return errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is plain http at another machine: give an https address; falloff sends nothing unencrypted")
	}
	return nil
}

func joined(endpoint, path string) string {
	at, err := url.JoinPath(endpoint, path)
	if err != nil {
		return endpoint
	}
	return at
}

// redactingSpans is the layer before a collector of traces.
type redactingSpans struct {
	sdktrace.SpanExporter

	failed func(error) error
}

func (e redactingSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	told := make([]sdktrace.ReadOnlySpan, 0, len(spans))
	for _, s := range spans {
		told = append(told, redactedSpan{s})
	}
	return e.failed(e.SpanExporter.ExportSpans(ctx, told))
}

// redactedSpan is a span without what could name anybody. Of its events only names are told, redacted; links have no attributes.
type redactedSpan struct{ sdktrace.ReadOnlySpan }

func (s redactedSpan) Name() string { return Redact(s.ReadOnlySpan.Name()) }

func (s redactedSpan) Attributes() []attribute.KeyValue {
	return redactAttributes(s.ReadOnlySpan.Attributes())
}

func (s redactedSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	if status.Code == codes.Error {
		status.Description = Redact(status.Description)
	}
	return status
}

func (s redactedSpan) Events() []sdktrace.Event {
	events := make([]sdktrace.Event, 0, len(s.ReadOnlySpan.Events()))
	for _, e := range s.ReadOnlySpan.Events() {
		events = append(events, sdktrace.Event{Name: Redact(e.Name), Time: e.Time, Attributes: redactAttributes(e.Attributes)})
	}
	return events
}

func (s redactedSpan) Links() []sdktrace.Link {
	links := make([]sdktrace.Link, 0, len(s.ReadOnlySpan.Links()))
	for _, l := range s.ReadOnlySpan.Links() {
		// A caller's trace state is text of theirs.
		links = append(links, sdktrace.Link{SpanContext: l.SpanContext.WithTraceState(trace.TraceState{})})
	}
	return links
}

func (s redactedSpan) SpanContext() trace.SpanContext {
	return s.ReadOnlySpan.SpanContext().WithTraceState(trace.TraceState{})
}

func (s redactedSpan) Parent() trace.SpanContext {
	return s.ReadOnlySpan.Parent().WithTraceState(trace.TraceState{})
}

// redactingMetrics is the layer before a collector of metrics.
type redactingMetrics struct {
	sdkmetric.Exporter

	failed func(error) error
}

func (e redactingMetrics) Export(ctx context.Context, figures *metricdata.ResourceMetrics) error {
	told := &metricdata.ResourceMetrics{Resource: figures.Resource}
	for _, of := range figures.ScopeMetrics {
		in := metricdata.ScopeMetrics{Scope: of.Scope}
		for _, m := range of.Metrics {
			if m.Data = redactedData(m.Data); m.Data != nil {
				in.Metrics = append(in.Metrics, m)
			}
		}
		told.ScopeMetrics = append(told.ScopeMetrics, in)
	}
	return e.failed(e.Exporter.Export(ctx, told))
}

// redactedData are a metric's points with declared attributes only, nil for a form of metric that falloff does not make.
func redactedData(of metricdata.Aggregation) metricdata.Aggregation {
	switch d := of.(type) {
	case metricdata.Gauge[int64]:
		d.DataPoints = redactedPoints(d.DataPoints)
		return d
	case metricdata.Gauge[float64]:
		d.DataPoints = redactedPoints(d.DataPoints)
		return d
	case metricdata.Sum[int64]:
		d.DataPoints = redactedPoints(d.DataPoints)
		return d
	case metricdata.Sum[float64]:
		d.DataPoints = redactedPoints(d.DataPoints)
		return d
	case metricdata.Histogram[float64]:
		points := make([]metricdata.HistogramDataPoint[float64], 0, len(d.DataPoints))
		for _, p := range d.DataPoints {
			p.Attributes, p.Exemplars = attribute.NewSet(redactAttributes(p.Attributes.ToSlice())...), nil
			points = append(points, p)
		}
		d.DataPoints = points
		return d
	default:
		return nil
	}
}

func redactedPoints[N int64 | float64](of []metricdata.DataPoint[N]) []metricdata.DataPoint[N] {
	points := make([]metricdata.DataPoint[N], 0, len(of))
	for _, p := range of {
		p.Attributes, p.Exemplars = attribute.NewSet(redactAttributes(p.Attributes.ToSlice())...), nil
		points = append(points, p)
	}
	return points
}
