package lake_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// agedLake is a clinic of some months with so many visits each, and as many snapshots behind it as are kept, each with the last
// months written anew.
func agedLake(b testing.TB, clinic *lake.Clinic, months, each, snapshots int) (patient string) {
	b.Helper()
	visits := schedule(months*each, months)
	patient = *visits[len(visits)/2].Patient
	upsertInto(b, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: visits})
	last := visits[len(visits)-each:]
	for n := range snapshots {
		changed := make([]contract.Appointment, 0, 100)
		for i := range 100 {
			v := last[(n*100+i)%len(last)]
			v.State, v.ObservedOn = fmt.Sprint("state ", n), v.ObservedOn+int32(n)+1
			changed = append(changed, v)
		}
		upsertInto(b, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: changed})
	}
	return patient
}

// An erasure takes less than five minutes on five million visits and 59 snapshots, the proof included.
func BenchmarkErasePatient(b *testing.B) {
	months, each, snapshots := 12, 4_000, 10
	if os.Getenv("FALLOFF_LONG") != "" {
		months, each, snapshots = 120, 42_000, 59
	}
	for kind, open := range map[string]func(testing.TB) *lake.Clinic{"plain": dirClinic, "encrypted": dirClinicEncrypted} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				clinic := open(b)
				patient := agedLake(b, clinic, months, each, snapshots)
				b.StartTimer()
				began := time.Now()
				done, err := clinic.ErasePatient(context.Background(), lake.PatientErasure{Texts: []string{patient}})
				if err != nil || done.Rows[contract.Appointments] == 0 {
					b.Fatal(done, err)
				}
				if _, err := clinic.ProveErased(context.Background(), []string{patient}); err != nil {
					b.Fatal(err)
				}
				if took := time.Since(began); took > 5*time.Minute {
					b.Errorf("it took %v", took)
				}
			}
			b.ReportMetric(float64(months*each), "visits")
		})
	}
}
