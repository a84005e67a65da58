package models

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/sql"
)

// BenchmarkBuildBesideByHand runs the same statements over the same files twice: as Build does, the marts not yet written, and by hand
// in one DuckDB, each model made into a table after the other. It reports the ratio of the two. By hand nothing is freed in
// between, nothing is planned together and nothing is checked.
func BenchmarkBuildBesideByHand(b *testing.B) {
	sizes := []int{1_000_000}
	if os.Getenv("FALLOFF_LONG") != "" {
		sizes = append(sizes, 5_000_000)
	}
	for _, appointments := range sizes {
		b.Run(fmt.Sprintf("appointments=%d", appointments), func(b *testing.B) {
			project, err := Load(b.Context(), sql.Files())
			if err != nil {
				b.Fatal(err)
			}
			in := syntheticClinic(b, appointments)
			var ours, byHand time.Duration
			for b.Loop() {
				ours += timed(b, func() error {
					s, err := open(b.Context(), in)
					if err != nil {
						return err
					}
					defer s.close()
					if err := s.prepare(b.Context(), in); err != nil {
						return err
					}
					if _, err := s.run(b.Context(), project, project.Models, false); err != nil {
						return err
					}
					_, err = s.check(b.Context(), project.Checks)
					return err
				})
				byHand += timed(b, func() error {
					s, err := open(b.Context(), in)
					if err != nil {
						return err
					}
					defer s.close()
					if err := s.prepare(b.Context(), in); err != nil {
						return err
					}
					if err := defineMacros(b.Context(), project.macros, s.exec); err != nil {
						return err
					}
					for _, m := range project.Models {
						if m.Layer == Fitted { // what Go searches for, SQL by hand cannot
							if err := s.fit(b.Context(), m); err != nil {
								return err
							}
							continue
						}
						if err := s.exec(b.Context(), fmt.Sprintf("create table %s as %s", m.Name(), m.Text)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(ours.Seconds()/float64(b.N), "s/build")
			b.ReportMetric(byHand.Seconds()/float64(b.N), "s/by-hand")
			b.ReportMetric(ours.Seconds()/byHand.Seconds(), "ratio")
		})
	}
}

func timed(b *testing.B, do func() error) time.Duration {
	b.Helper()
	started := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}

// BenchmarkBuildGrowth builds clinics of growing size, and reports how far the memory of the process has gone up: to be run one size at
// a time for that figure.
func BenchmarkBuildGrowth(b *testing.B) {
	sizes := []int{100_000, 300_000, 1_000_000}
	if os.Getenv("FALLOFF_LONG") != "" {
		sizes = append(sizes, 3_000_000, 5_000_000, 10_000_000)
	}
	for _, appointments := range sizes {
		b.Run(fmt.Sprintf("appointments=%d", appointments), func(b *testing.B) {
			in := syntheticClinic(b, appointments)
			in.MemoryLimit = os.Getenv("FALLOFF_MEMORY_LIMIT")
			forgetPeakMemory(b)
			for b.Loop() {
				if _, err := Build(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/build")
			b.ReportMetric(peakMemory(b)/(1<<20), "peak-MiB")
		})
	}
}

// forgetPeakMemory lets peakMemory count from here on, where the system can: making the clinic took memory, too.
func forgetPeakMemory(b *testing.B) {
	b.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		b.Logf("the peak of memory counts from the start of the process: %v", err)
	}
}

// peakMemory is the most memory that this process has had so far, in bytes; 0 where the system does not tell.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kilobytes float64
			if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
				b.Fatal(err)
			}
			return kilobytes * 1024
		}
	}
	return 0
}
