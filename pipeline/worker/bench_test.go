package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/pipeline/worker/pgtest"
)

// idle is a fleet whose nights take no time, so that what is measured is the queue.
type idle []worker.Clinic

func (f idle) Clinics(context.Context) ([]worker.Clinic, error)      { return f, nil }
func (f idle) Paused(context.Context, string) (bool, error)          { return false, nil }
func (f idle) Run(context.Context, unit.Order) (unit.Outcome, error) { return unit.Outcome{}, nil }

// BenchmarkJobs is what a night costs the queue: inserted, fetched, given a place at its portal's host, and completed.
func BenchmarkJobs(b *testing.B) {
	const clinics = 2000
	server := pgtest.Start(b)
	for n := range b.N {
		pool, err := worker.Open(b.Context(), server.New(fmt.Sprint("bench", n)))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := worker.Migrate(b.Context(), pool); err != nil {
			b.Fatal(err)
		}
		fleet := make(idle, clinics)
		for i := range fleet {
			fleet[i] = worker.Clinic{ID: fmt.Sprintf("clinic-%d", i), Zone: time.UTC, Host: "one.example"}
		}
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- worker.Run(ctx, worker.Options{Pool: pool, Fleet: fleet, Runner: fleet, Parallel: 32, PerHost: 32, Now: func() time.Time {
				return firstDay.In(time.UTC).Add(30 * time.Hour)
			}})
		}()
		for counts := map[string]int{}; counts["completed"] < clinics; time.Sleep(10 * time.Millisecond) {
			if counts, err = worker.Count(b.Context(), pool); err != nil {
				b.Fatal(err)
			}
		}
		stop()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		pool.Close()
	}
	b.ReportMetric(float64(clinics*b.N)/b.Elapsed().Seconds(), "nights/s")
}
