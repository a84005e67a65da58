package backup_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// BenchmarkErasePatient erases one patient from a lake of many months and snapshots and from two backups of it, of different days, with
// both proofs: less than five minutes for five million visits and 59 snapshots.
func BenchmarkErasePatient(b *testing.B) {
	months, each, snapshots := 12, 4_000, 10
	if os.Getenv("FALLOFF_LONG") != "" {
		months, each, snapshots = 120, 42_000, 59
	}
	for b.Loop() {
		b.StopTimer()
		ctx, stores := b.Context(), [2]lake.Store{}
		for i, name := range []string{"lake", "second"} {
			store, err := lake.OpenDir(filepath.Join(b.TempDir(), name))
			if err != nil {
				b.Fatal(err)
			}
			stores[i] = store
		}
		clinic := open(b, stores[0])
		place := backup.At(stores[1], harbour, newKeys(b, 1))
		patient := visited(b, clinic, months, each, snapshots/2, 0)
		backUp(b, place, clinic)
		visited(b, clinic, months, each, snapshots-snapshots/2, snapshots/2+1)
		backUp(b, place, clinic)
		b.StartTimer()

		began, texts := time.Now(), []string{patient}
		done, err := clinic.ErasePatient(ctx, lake.PatientErasure{Texts: texts})
		if err != nil || done.Rows[contract.Appointments] == 0 {
			b.Fatal(done, err)
		}
		inLake := time.Since(began)
		over := func(_ context.Context, store lake.Store) (*lake.Clinic, error) {
			return lake.Open(store, harbour, lake.Options{NamingKey: make([]byte, 32)})
		}
		erased, err := place.ErasePatient(ctx, texts, nil, over, nil)
		if err != nil || erased.Rewritten != 2 {
			b.Fatal(erased, err)
		}
		inBackups := time.Since(began) - inLake
		if _, err := clinic.ProveErased(ctx, texts); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Minute {
			b.Errorf("it took %v", took)
		}
		b.ReportMetric(inLake.Seconds(), "s-lake")
		b.ReportMetric(inBackups.Seconds(), "s-backups")
	}
	b.ReportMetric(float64(months*each), "visits")
}

func backUp(b *testing.B, place backup.Place, clinic *lake.Clinic) {
	b.Helper()
	if _, err := place.Take(b.Context(), clinic, backup.Options{Now: start, Writer: "w"}); err != nil {
		b.Fatal(err)
	}
}

// visited lands so many visits of each month, in the first of its commits, and then changes a hundred of the last month with each
// commit. It gives a patient of the middle of all.
func visited(b *testing.B, clinic *lake.Clinic, months, each, commits, from int) (patient string) {
	b.Helper()
	visit := func(month, i, seen int) contract.Appointment {
		who := fmt.Sprintf("p1_%026d", (month*each+i*7919)%(months*each/15))
		day := contract.DayOf(civil.Date{Year: 2015 + month/12, Month: time.Month(1 + month%12), Day: 1 + i*28/each})
		return contract.Appointment{
			AppointmentID: int64(100_000 + month*each + i), Patient: &who, Location: "Harbour Street", StaffMember: fmt.Sprintf("Practitioner %d", i%12),
			Treatment: fmt.Sprintf("Treatment %d", i%5), State: fmt.Sprintf("state %d", seen), ServiceDate: day,
			StartsAt: int64(day)*86_400_000_000 + int64(i%600)*60_000_000, EndsAt: int64(day)*86_400_000_000 + int64(i%600+45)*60_000_000,
			TimeZone: "America/Toronto", ObservedOn: contract.DayOf(civil.Date{Year: 2026, Month: 1, Day: 1}) + int32(seen),
		}
	}
	land := func(rows []contract.Appointment) {
		if _, err := clinic.Update(b.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Rows: rows})
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	if from == 0 {
		var all []contract.Appointment
		for month := range months {
			for i := range each {
				all = append(all, visit(month, i, 0))
			}
		}
		land(all)
		from = 1
	}
	for n := range commits {
		var rows []contract.Appointment
		for i := range 100 {
			rows = append(rows, visit(months-1, ((from+n)*100+i)%each, from+n))
		}
		land(rows)
	}
	return *visit(months/2, each/2, 0).Patient
}
