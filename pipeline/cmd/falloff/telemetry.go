package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/telemetry"
)

// The forms in which what happens is written to standard error.
const (
	logText = "text"
	logJSON = "json"
)

// newLog writes records of what happens, redacted: as lines for people, or as JSON for a log store.
func newLog(w io.Writer, form string) *slog.Logger {
	if form == logJSON {
		return slog.New(telemetry.Handler(slog.NewJSONHandler(w, nil)))
	}
	return slog.New(telemetry.Handler(slog.NewTextHandler(w, nil)))
}

// log is what a server or a scheduler writes.
func (a *app) log() *slog.Logger {
	if a.quiet {
		return slog.New(slog.DiscardHandler)
	}
	return newLog(a.stderr, a.logForm)
}

// observed is a command under way, as telemetry sees it.
type observed struct {
	telemetry *telemetry.Telemetry
	span      trace.Span
	command   string
	began     time.Time
}

// observe begins a command's span, where there is a collector to tell.
func (a *app) observe(ctx context.Context, command string) (context.Context, error) {
	t, err := telemetry.Start(ctx, telemetry.Options{Endpoint: telemetry.Endpoint(), Version: version, Failed: func(text string) { a.tellf("%s", text) }})
	if err != nil {
		return ctx, usagef("%v", err)
	}
	ctx, span := t.Tracer.Start(ctx, "falloff "+command) //nolint:spancheck // observedEnd ends it
	a.observed = &observed{telemetry: t, span: span, command: command, began: a.now()}
	return ctx, nil //nolint:spancheck // observedEnd ends it
}

// tracer makes the spans of what a command does.
func (a *app) tracer() trace.Tracer {
	if a.observed == nil {
		return nil
	}
	return a.observed.telemetry.Tracer
}

// observedEnd tells how the command ended, and sends what was gathered.
func (a *app) observedEnd(ctx context.Context, err error) {
	o := a.observed
	if o == nil {
		return
	}
	code := exitCode(err)
	outcome := firstOf(kinds[code], "done")
	o.span.SetAttributes(attribute.Int("exit_code", code), attribute.String("outcome", outcome), attribute.String("clinic", firstOf(a.flags.Clinic, a.file.Clinic)))
	if named := nameError(err); named != nil {
		o.span.SetAttributes(attribute.String("cause", named.Cause))
		o.span.SetStatus(codes.Error, named.Cause)
	}
	o.span.End()
	about := metric.WithAttributes(attribute.String("name", o.command), attribute.String("outcome", outcome))
	if took, err := o.telemetry.Meter.Float64Histogram("falloff.command.duration", metric.WithUnit("s"), metric.WithDescription("How long commands took."),
		metric.WithExplicitBucketBoundaries(.1, .5, 1, 5, 15, 60, 300, 900, 3600, 10800)); err == nil {
		took.Record(ctx, a.now().Sub(o.began).Seconds(), about)
	}
	o.telemetry.Stop(ctx)
}

// counted tells how much a run did.
func (a *app) counted(ctx context.Context, clinic string, out *extracted) {
	if a.observed == nil || out == nil {
		return
	}
	meter := a.observed.telemetry.Meter
	count := func(name, what string, n int64, labels ...attribute.KeyValue) {
		if counter, err := meter.Int64Counter(name, metric.WithDescription(what)); err == nil && n > 0 {
			counter.Add(ctx, n, metric.WithAttributes(append(labels, attribute.String("clinic", clinic))...))
		}
	}
	count("falloff.portal.requests", "Requests to the portal.", int64(out.Requests.Allowed), attribute.String("outcome", "sent"))
	count("falloff.portal.requests", "Requests to the portal.", int64(out.Requests.Refused), attribute.String("outcome", "refused"))
	if out.Extracted == nil {
		return
	}
	for _, f := range out.Files {
		count("falloff.rows", "Rows that were read.", int64(f.Rows), attribute.String("dataset", f.Dataset), attribute.String("outcome", "read"))
		count("falloff.rows", "Rows that were read.", int64(f.Quarantined), attribute.String("dataset", f.Dataset), attribute.String("outcome", "quarantined"))
	}
}

// stepped shows steps as next does, and makes a span of each.
func (o *observed) stepped(next pipeline.Progress) pipeline.Progress {
	if o == nil {
		return next
	}
	ctx := trace.ContextWithSpan(context.Background(), o.span)
	var mu sync.Mutex
	open := map[string]trace.Span{}
	return func(s pipeline.Step) {
		next(s)
		mu.Lock()
		defer mu.Unlock()
		span, begun := open[s.Name]
		if !begun {
			_, span = o.telemetry.Tracer.Start(ctx, s.Name)
			open[s.Name] = span
		}
		if s.Ended {
			span.SetAttributes(attribute.Int64("done", s.Done), attribute.Int64("total", s.Total), attribute.String("note", s.Note))
			span.End()
			delete(open, s.Name)
		}
	}
}

// logged writes a record when a step ends: what a scheduler's log store can read.
func logged(log *slog.Logger, now func() time.Time) pipeline.Progress {
	var mu sync.Mutex
	began := map[string]time.Time{}
	return func(s pipeline.Step) {
		mu.Lock()
		defer mu.Unlock()
		from, known := began[s.Name]
		if !known {
			from = now()
			began[s.Name] = from
		}
		if s.Ended {
			delete(began, s.Name)
			log.Info("step", "step", s.Name, "note", s.Note, "took", now().Sub(from))
		}
	}
}
