package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/falloff-analytics/falloff/pipeline/telemetry"
)

// planted are what must never be told, each as it could get into a sentence.
var planted = map[string]string{
	"e-mail":       "wilhelmina.vandenberg@canary.example",
	"phone":        "+1 (604) 555-0188",
	"plain phone":  "604-555-0188",
	"card":         "4242 4242 4242 4242",
	"postal code":  "V6B 1A1",
	"bearer":       "Bearer abcDEF123.token-of-somebody",
	"web token":    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ3aWxoZWxtaW5hIn0.c2lnbmF0dXJl",
	"cookie":       "Cookie: jane_session=0123456789abcdef",
	"password":     `password="correct horse battery"`,
	"key":          "api_key=sk-live-0123456789",
	"user in URL":  "https://clerk:hunter2hunter2@clinic.janeapp.com",
	"query of URL": "/admin?search=Wilhelmina+Vandenberg",
}

// needles are the telling parts of what is planted.
var needles = []string{
	"wilhelmina", "Wilhelmina", "canary.example", "555-0188", "4242 4242", "V6B", "abcDEF123", "eyJhbGci", "0123456789", "correct horse", "hunter2hunter2", "Vandenberg",
}

func innocent(t *testing.T, where, text string) {
	t.Helper()
	for _, n := range needles {
		if strings.Contains(text, n) {
			t.Errorf("%s tells %q: %s", where, n, text)
		}
	}
}

func TestSentencesTellNoIdentity(t *testing.T) {
	t.Parallel()
	for name, canary := range planted {
		told := telemetry.Redact("reading the page failed: " + canary + ", sent 12 times")
		innocent(t, name, told)
		if !strings.HasPrefix(told, "reading the page failed: ") || !strings.Contains(told, "sent 12 times") {
			t.Errorf("%s: what was no identity went too: %s", name, told)
		}
	}
}

func TestSentencesStaySentences(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"commit 17, reports show 2025-12-31", "59 marts as of 2025-12-31, 3 of them made anew, commit 18", "listening on 127.0.0.1:8750",
		"5000 requests a day, 1,234,567 rows of 12 reports", "clinic harbour-street: permission_missing", "read 2026-03-01 02:15 to 2026-03-01 03:15",
	} {
		if told := telemetry.Redact(text); told != text {
			t.Errorf("%q became %q", text, told)
		}
	}
	if told := telemetry.Redact("one\nlevel=ERROR msg=forged\x1b[2J"); strings.ContainsAny(told, "\n\x1b") {
		t.Errorf("a record has lines: %q", told)
	}
}

func TestLogsTellDeclaredAttributesAlone(t *testing.T) {
	t.Parallel()
	for form, handler := range map[string]func(w io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(telemetry.Handler(handler(&out)))
		log.Info("run ended", "clinic", "harbour-street", "rows", 12, "took", 1500*time.Millisecond, "error", errors.New("page 3: "+planted["e-mail"]))
		log.With("patient", "Wilhelmina Vandenberg").WithGroup("Wilhelmina Vandenberg").Info("x", "clinic", "Wilhelmina Vandenberg", "Wilhelmina Vandenberg", 1)
		log.Info("x", slog.Group("state", slog.String("note", planted["phone"]), slog.Any("secret", planted["key"])))
		for _, canary := range planted {
			log.Warn(canary, "cause", canary, "note", canary, "unheard_of", canary, "status", slog.AnyValue(canary))
		}
		innocent(t, form, out.String())
		for _, want := range []string{"harbour-street", "12", "1.5s", "run ended", "page 3"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q was not told: %s", form, want, out.String())
			}
		}
	}
}

// collector keeps what is sent to it.
type collector struct {
	mu    sync.Mutex
	paths []string
	told  bytes.Buffer
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.paths = append(c.paths, r.URL.Path)
		c.told.Write(body)
	}
}

func TestCollectorsGetNoIdentity(t *testing.T) {
	t.Parallel()
	c := &collector{}
	server := httptest.NewServer(c)
	defer server.Close()
	of, err := telemetry.Start(t.Context(), telemetry.Options{Endpoint: server.URL, Version: "1.2.3", Failed: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), remote(t))
	ctx, span := of.Tracer.Start(ctx, "reading "+planted["query of URL"])
	counter, err := of.Meter.Int64Counter("falloff.rows")
	if err != nil {
		t.Fatal(err)
	}
	histogram, err := of.Meter.Float64Histogram("falloff.seconds")
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range planted {
		attrs := []attribute.KeyValue{
			attribute.String("clinic", canary), attribute.String("note", canary), attribute.String("patient", canary), attribute.StringSlice("cause", []string{canary}),
			attribute.String("dataset", "appointments"),
		}
		span.SetAttributes(attrs...)
		span.AddEvent(canary, trace.WithAttributes(attrs...))
		span.RecordError(errors.New(canary))
		span.SetStatus(codes.Error, canary)
		counter.Add(ctx, 1, metric.WithAttributes(attrs...))
		histogram.Record(ctx, 1, metric.WithAttributes(attrs...))
	}
	span.End()
	of.Stop(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	innocent(t, "the collector", c.told.String())
	for _, want := range []string{"appointments", "falloff.rows", "1.2.3", "reading "} {
		if !strings.Contains(c.told.String(), want) {
			t.Errorf("%q was not told", want)
		}
	}
	if seen := strings.Join(c.paths, " "); !strings.Contains(seen, "/v1/traces") || !strings.Contains(seen, "/v1/metrics") {
		t.Errorf("told at %s", seen)
	}
}

// remote is a caller's span, with a state of its own.
func remote(t *testing.T) trace.SpanContext {
	t.Helper()
	state, err := trace.ParseTraceState("vendor=wilhelmina")
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true})
}

func TestACollectorThatIsAwayEndsNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	var mu sync.Mutex
	var said []string
	of, err := telemetry.Start(t.Context(), telemetry.Options{Endpoint: server.URL, Failed: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, span := of.Tracer.Start(context.Background(), "run")
	span.End()
	of.Stop(t.Context())
	mu.Lock()
	defer mu.Unlock()
	if len(said) == 0 {
		t.Error("nothing was said of it")
	}
}

func TestNothingIsToldUnencryptedThroughANetwork(t *testing.T) {
	t.Parallel()
	for endpoint, fine := range map[string]bool{
		"http://127.0.0.1:4318": true, "http://localhost:4318": true, "http://[::1]:4318": true, "https://collector.example:4318": true,
		"http://collector.example:4318": false, "http://10.0.0.7:4318": false, "collector.example:4318": false, "grpc://collector.example": false, "": true,
	} {
		of, err := telemetry.Start(t.Context(), telemetry.Options{Endpoint: endpoint})
		if (err == nil) != fine {
			t.Errorf("%q: %v", endpoint, err)
		}
		_ = of // nothing was begun, so nothing is sent
	}
}
