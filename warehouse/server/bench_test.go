package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// The queries that a dashboard asks most, over marts as a million appointments leave them.
var timed = []struct{ name, body string }{
	{"leak_total", `{"clinic":"harbour-street","query":"leak_total"}`},
	{"leaks_by_category", `{"clinic":"harbour-street","query":"leaks_by_category"}`},
	{"leaks_by_month", `{"clinic":"harbour-street","query":"leaks_by_month","from":"2024-10-01","to":"2026-09-30"}`},
	{"worst_open_leaks", `{"clinic":"harbour-street","query":"worst_open_leaks","params":{"limit":25}}`},
	{"retention_curve", `{"clinic":"harbour-street","query":"retention_curve","params":{"group":"discipline"}}`},
	{"visits_by_week", `{"clinic":"harbour-street","query":"visits_by_week"}`},
}

// BenchmarkQueryThroughTheServer is the latency of a named query as a client sees it: HTTP on loopback, token, query,
// Arrow stream read to its end, one client.
func BenchmarkQueryThroughTheServer(b *testing.B) {
	l := &lake{marts: martstest.Large(b), heads: map[string]string{"harbour-street": "1"}}
	s, err := server.New(servertest.Options(b, l))
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	url := "http://" + listener.Addr().String() + "/v1/query"
	for _, q := range timed {
		post(b, url, q.body) // opens the snapshot
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				post(b, url, q.body)
			}
		})
	}
}

// BenchmarkQueryInTheEngine is the same queries without HTTP: what the server adds is the difference.
func BenchmarkQueryInTheEngine(b *testing.B) {
	engine, err := query.Open(b.Context(), martstest.Large(b), martstest.Meta("harbour-street", "1"), query.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	for _, q := range timed {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				answer, err := engine.Run(b.Context(), query.Request{Query: q.name})
				if err != nil {
					b.Fatal(err)
				}
				answer.Release()
			}
		})
	}
}

func post(b *testing.B, url, body string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		b.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		b.Fatalf("status %d", response.StatusCode)
	}
}
