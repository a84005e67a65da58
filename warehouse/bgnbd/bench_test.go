package bgnbd

import (
	"fmt"
	"testing"
)

// BenchmarkMaximize measures a fit, and how often it computes the likelihood of all entities.
func BenchmarkMaximize(b *testing.B) {
	for _, entities := range []int{1_000, 15_000, 80_000} {
		histories := simulate(MBG, Parameters{1.2, 2.5, 0.9, 3.5}, entities, 11)
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) {
			var fit Fit
			for b.Loop() {
				var err error
				if fit, err = Maximize(b.Context(), MBG, histories); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(fit.Evaluations), "evaluations")
		})
	}
}
