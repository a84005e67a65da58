package server_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// panels are what the dashboards Overview and Revenue leaks ask when somebody opens them, and what the first rows of the others do: 20.
var panels = []string{
	`"query":"freshness"`,
	`"query":"leak_total"`,
	`"query":"patient_status_counts","params":{"discipline":"all"}`,
	`"query":"leak_worklist","params":{"limit":15}`,
	`"query":"work_list","params":{"limit":15,"discipline":"all"}`,
	`"query":"leaks_by_category"`,
	`"query":"leaks_by_month","params":{"split":"certainty"},"from":"2025-10-01","to":"2026-09-30"`,
	`"query":"retention_curve","params":{"group":"discipline","days":365,"every_days":7}`,
	`"query":"retention_by_visit","params":{"discipline":"all","visits":12}`,
	`"query":"choices","params":{"list":"payer"}`,
	`"query":"leaks_by_age","params":{"split":"certainty"}`,
	`"query":"leaks_by_state"`,
	`"query":"money_waterfall","from":"2025-10-01","to":"2026-09-30"`,
	`"query":"leak_worklist","params":{"limit":200}`,
	`"query":"receivables_aging"`,
	`"query":"collections_by_month","from":"2025-10-01","to":"2026-09-30"`,
	`"query":"payers"`,
	`"query":"visits_by_week","from":"2025-10-01","to":"2026-09-30"`,
	`"query":"show_rates","params":{"dimension":"hour"}`,
	`"query":"utilisation_by_month","from":"2025-10-01","to":"2026-09-30"`,
}

// served starts a server for a benchmark and gives its address and its log.
func served(b *testing.B, l *lake, change func(*server.Options)) (string, *servertest.Log) {
	b.Helper()
	o := servertest.Options(b, l)
	log := &servertest.Log{}
	o.Audit = log
	if change != nil {
		change(&o)
	}
	url, _ := servertest.Serve(b, o)
	return url + "/v1/query", log
}

func asked(panel string) string { return `{"clinic":"harbour-street",` + panel + `}` }

// quantile reports the times that the server took for named queries since a record, in milliseconds.
func quantiles(b *testing.B, log *servertest.Log, since int) {
	b.Helper()
	var took []time.Duration
	for _, e := range log.Events()[since:] {
		if e.Kind == server.Question {
			took = append(took, e.Took)
		}
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[min(len(took)-1, int(share*float64(len(took))))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.95), "p95-ms")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "answers/s")
}

// BenchmarkThirtyTwoClients is 32 people who ask without a pause, each the next of the 20 panels when they have the one before, as the server
// measures it. Hot: the snapshot is loaded and no answer is kept, but who asks what is being answered gets that answer. Cached: answers are
// kept. Paced: as hot, each asks one panel a second.
func BenchmarkThirtyTwoClients(b *testing.B) {
	marts := martstest.Whole(b)
	const clients, each = 32, 40
	for _, run := range []struct {
		name  string
		cache int64
		pause time.Duration
	}{{"hot", -1, 0}, {"cached", 0, 0}, {"paced", -1, time.Second}} {
		b.Run(run.name, func(b *testing.B) {
			url, log := served(b, &lake{marts: marts, released: martstest.Released(b), heads: map[string]string{"harbour-street": "1"}}, func(o *server.Options) { o.CacheBytes = run.cache })
			for _, p := range panels {
				post(b, url, asked(p))
			}
			since := len(log.Events())
			b.ResetTimer()
			for b.Loop() {
				var people sync.WaitGroup
				for person := range clients {
					people.Go(func() {
						var tick <-chan time.Time
						if run.pause > 0 {
							begin := time.NewTimer(run.pause * time.Duration(person) / clients)
							<-begin.C
							ticker := time.NewTicker(run.pause)
							defer ticker.Stop()
							tick = ticker.C
						}
						for i := range each / (1 + int(run.pause/time.Second)*3) {
							if tick != nil {
								<-tick
							}
							post(b, url, asked(panels[(7*person+i)%len(panels)]))
						}
					})
				}
				people.Wait()
			}
			quantiles(b, log, since)
		})
	}
}

// BenchmarkADashboardCold is 20 panels that one person opens at once, none of them kept, the snapshot loaded: the time until the last is there.
func BenchmarkADashboardCold(b *testing.B) {
	url, log := served(b, &lake{marts: martstest.Whole(b), released: martstest.Released(b), heads: map[string]string{"harbour-street": "1"}}, func(o *server.Options) { o.CacheBytes = -1 })
	for _, p := range panels {
		post(b, url, asked(p))
	}
	since := len(log.Events())
	b.ResetTimer()
	for b.Loop() {
		var open sync.WaitGroup
		for _, p := range panels {
			open.Go(func() { post(b, url, asked(p)) })
		}
		open.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "all-ms")
	quantiles(b, log, since)
}

// BenchmarkPanelsAlone is each panel without any beside.
func BenchmarkPanelsAlone(b *testing.B) {
	url, _ := served(b, &lake{marts: martstest.Whole(b), released: martstest.Released(b), heads: map[string]string{"harbour-street": "1"}}, func(o *server.Options) { o.CacheBytes = -1 })
	for i, p := range panels {
		b.Run(fmt.Sprintf("%02d", i), func(b *testing.B) {
			for b.Loop() {
				post(b, url, asked(p))
			}
		})
	}
}
