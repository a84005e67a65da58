package lake_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// tenTables are ten datasets of one kind of row.
func tenTables(tb testing.TB) (tables []lake.Table[slip]) {
	tb.Helper()
	for n := range 10 {
		table, err := lake.NewTable[slip](fmt.Sprintf("slips_%d", n), "on", "id")
		if err != nil {
			tb.Fatal(err)
		}
		tables = append(tables, table)
	}
	return tables
}

// BenchmarkNoChange is what a run costs that brings the newest month of ten datasets again and changes nothing, against the age
// of the lake: requests, bytes sent and the bytes of its commit, over the S3 server.
func BenchmarkNoChange(b *testing.B) {
	for _, months := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d-months-x-10", months), func(b *testing.B) {
			cfg, bucket := storetest.Gateway(b)
			var asked storetest.Requests
			through := storetest.Proxy(b, cfg, asked.Handle)
			store, err := lake.OpenS3(b.Context(), lake.S3Location{Bucket: bucket, Prefix: "lake", Config: &through})
			if err != nil {
				b.Fatal(err)
			}
			clinic := openClinic(b, store)
			tables := tenTables(b)
			first := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)
			var all, newest lake.Batch[slip]
			for m := range months {
				on := int32(first.AddDate(0, m, 0).Unix() / 86_400)
				for n := range 20 {
					all.Rows = append(all.Rows, slip{ID: int64(m*100 + n + 1), On: on + int32(n), Cents: 9500, ObservedOn: on + 40})
				}
			}
			newest.Rows = all.Rows[len(all.Rows)-20:]
			last := contract.DateOf(newest.Rows[0].On)
			newest.Covers = []lake.Cover{{From: last, To: last.AddDays(27), ObservedOn: last.AddDays(40)}}
			run := func(batch lake.Batch[slip]) *lake.Commit {
				commit, err := clinic.Update(b.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
					for _, table := range tables {
						if _, err := lake.Upsert(ctx, tx, table, batch); err != nil {
							return err
						}
					}
					return tx.SetSource("portal", map[string]string{"through": last.String()})
				})
				if err != nil {
					b.Fatal(err)
				}
				return commit
			}
			run(all)
			run(newest)
			objects := len(storetest.Names(b, store, "clinic=harbour-street/data/"))
			asked.All.Store(0)
			asked.Puts.Store(0)
			asked.Sent.Store(0)
			b.ResetTimer()
			var commit *lake.Commit
			for range b.N {
				commit = run(newest)
			}
			b.StopTimer()
			per := func(total int64) float64 { return float64(total) / float64(b.N) }
			b.ReportMetric(per(asked.All.Load()), "requests/run")
			b.ReportMetric(per(asked.Puts.Load()), "puts/run")
			b.ReportMetric(per(asked.Sent.Load()), "B-sent/run")
			body, err := lake.EncodeCommit(commit)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(body))/float64(months*10), "commit-B/partition")
			if now := len(storetest.Names(b, store, "clinic=harbour-street/data/")); now != objects || per(asked.Puts.Load()) != 2 {
				b.Errorf("%d objects became %d, with %v puts a run: a commit and a hint are due", objects, now, per(asked.Puts.Load()))
			}
		})
	}
}
