package pipeline_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// oneClinic serves marts that do not change.
type oneClinic struct {
	marts    map[string][]string
	released *disclosure.Released
}

func (oneClinic) Clinics(context.Context) ([]string, error)    { return []string{servertest.Clinic}, nil }
func (oneClinic) Head(context.Context, string) (string, error) { return "1", nil }
func (c oneClinic) Open(ctx context.Context, clinic string, view server.View) (server.Engine, error) {
	return servertest.Open(ctx, c.marts, c.released, clinic, "1", view)
}

// askedWhole is what one request of the benchmark asks.
var askedWhole = []struct {
	name, text string
	request    query.Request
}{
	{"leak_worklist", `"query":"leak_worklist","params":{"limit":200}`, query.Request{Query: "leak_worklist", Params: map[string]any{"limit": 200}}},
	{"leaks_by_month", `"query":"leaks_by_month"`, query.Request{Query: "leaks_by_month"}},
	{"leaks_by_category", `"query":"leaks_by_category"`, query.Request{Query: "leaks_by_category"}},
	{"work_list", `"query":"work_list","params":{"limit":100}`, query.Request{Query: "work_list", Params: map[string]any{"limit": 100}}},
	{"visits_by_week", `"query":"visits_by_week"`, query.Request{Query: "visits_by_week"}},
}

// wholeServer is a server as falloff serve has it: the plugin's signature verified, the policy asked, every request flushed to the disk of the
// audit chain before its answer. ask asks it as one person.
func wholeServer(b *testing.B, marts map[string][]string, cache int64) (ask func(text string)) {
	b.Helper()
	dir := b.TempDir()
	keys, err := vault.Open(b.Context(), vault.Options{ConfigDir: filepath.Join(dir, "config")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(keys.Close)
	sealed, err := keys.AuditKeys(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	log, err := chain.Open(b.Context(), chain.Options{
		Store: &storetest.Memory{}, Server: "desk", Dir: filepath.Join(dir, "waiting"), Mark: filepath.Join(dir, "mark"), Seal: sealed.Seal, Sign: sealed.Sign, Public: sealed.Public,
	})
	if err != nil {
		b.Fatal(err)
	}
	key := servertest.NewKey(b)
	o := servertest.SignedOptions(b, oneClinic{marts, martstest.Released(b)}, key)
	o.Audit, o.CacheBytes = pipeline.ServerAudit{Chain: log}, cache
	b.Cleanup(func() { // after the server has stopped
		if err := log.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	url, _ := servertest.Serve(b, o)
	signer, err := plugintoken.NewSigner(key, nil)
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)
	return func(text string) {
		token, err := signer.Sign(plugintoken.Person{
			Login: "everywhere", Role: "Viewer", Clinic: plugintoken.AllClinics, SecondFactor: true, Request: plugintoken.RequestOf(http.MethodPost, "/v1/query"),
		})
		if err != nil {
			b.Error(err)
			return
		}
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/v1/query",
			strings.NewReader(`{"clinic":"`+servertest.Clinic+`",`+text+`}`))
		if err != nil {
			b.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = response.Body.Close() }()
		if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			b.Errorf("status %d, %v: %.300s", response.StatusCode, err, body)
		}
	}
}

// BenchmarkWholeAnswer is a named query all the way, no answer kept, and beside it DuckDB's answer alone: they take turns, and the ratio is of
// their medians.
func BenchmarkWholeAnswer(b *testing.B) {
	marts := martstest.Whole(b)
	ask := wholeServer(b, marts, -1)
	engine, err := query.Open(b.Context(), marts, martstest.Meta(servertest.Clinic, "1"), query.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	for _, q := range askedWhole {
		ask(q.text) // loads the snapshot
		b.Run(q.name, func(b *testing.B) {
			var whole, bare []time.Duration
			for b.Loop() {
				began := time.Now()
				answer, err := engine.Run(b.Context(), q.request)
				if err != nil {
					b.Fatal(err)
				}
				answer.Release()
				between := time.Now()
				ask(q.text)
				bare, whole = append(bare, between.Sub(began)), append(whole, time.Since(between))
			}
			middle := func(all []time.Duration) float64 {
				slices.Sort(all)
				return float64(all[len(all)/2].Microseconds()) / 1000
			}
			b.ReportMetric(middle(bare), "duckdb-ms")
			b.ReportMetric(middle(whole), "whole-ms")
			b.ReportMetric(middle(whole)/middle(bare), "ratio")
		})
	}
}

// BenchmarkKeptAnswers is 32 people who ask without a pause for answers that are kept, each request signed, verified and flushed to the disk
// of the audit chain, as they see it.
func BenchmarkKeptAnswers(b *testing.B) {
	ask := wholeServer(b, martstest.Whole(b), 0)
	for _, q := range askedWhole {
		ask(q.text)
	}
	const clients, each = 32, 50
	var mu sync.Mutex
	var took []time.Duration
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		var people sync.WaitGroup
		for person := range clients {
			people.Go(func() {
				mine := make([]time.Duration, each)
				for i := range each {
					began := time.Now()
					ask(askedWhole[(person+i)%len(askedWhole)].text)
					mine[i] = time.Since(began)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, mine...)
			})
		}
		people.Wait()
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(used.Microseconds())/1000/float64(len(took)), "cpu-ms/answer")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "answers/s")
}
