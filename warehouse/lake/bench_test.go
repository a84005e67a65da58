package lake_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// schedule is n appointments over the given months from January 2024, as a clinic of 12 practitioners has them.
func schedule(n, months int) []contract.Appointment {
	r := rand.New(rand.NewPCG(1, 2))
	patients := make([]string, max(50, n/15))
	for i := range patients {
		patients[i] = fmt.Sprintf("p1_%026d", r.Uint64())
	}
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	states := []string{"arrived", "arrived", "arrived", "arrived", "booked", "cancelled", "no_show"}
	treatments := []string{"Initial Assessment", "Physiotherapy Treatment", "Massage 60 min", "Chiropractic Adjustment", "Acupuncture"}
	first := contract.DayOf(civil.Date{Year: 2024, Month: 1, Day: 1})
	days := int(time.Date(2024, time.Month(1+months), 1, 0, 0, 0, 0, time.UTC).Sub(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
	rows := make([]contract.Appointment, n)
	for i := range rows {
		day := first + int32(i*days/n)
		start := int64(day)*86_400_000_000 + int64(13+r.IntN(10))*3_600_000_000 + int64(r.IntN(4))*900_000_000
		booked := start - int64(r.IntN(30*86_400))*1_000_000
		yes := r.IntN(20) == 0
		a := contract.Appointment{
			AppointmentID: int64(100_000 + i), Patient: new(pick(patients)), Location: "Harbour Street", StaffMember: fmt.Sprintf("Practitioner %d", r.IntN(12)),
			Treatment: pick(treatments), State: pick(states), ServiceDate: day, StartsAt: start, EndsAt: start + 2_700_000_000, TimeZone: "America/Toronto",
			FirstVisit: &yes, BookedAt: &booked, BookedOnline: new(r.IntN(3) == 0), ObservedOn: first + int32(days),
		}
		switch a.State {
		case "arrived":
			a.ArrivedAt = new(start - int64(r.IntN(900))*1_000_000)
		case "cancelled":
			a.CancelledAt = new(start - int64(r.IntN(200_000))*1_000_000)
			a.CancelledReason = new("patient_request")
		}
		rows[i] = a
	}
	return rows
}

// written is the number of rows of the write benchmarks.
const written = 300_000

func perSecond(b *testing.B, bytes int) {
	b.ReportMetric(float64(written)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(bytes)/written, "B/row")
}

// BenchmarkWrite is rows a second from typed rows to one zstd Parquet file in memory, on one core, sorting included.
func BenchmarkWrite(b *testing.B) {
	rows := schedule(written, 1)
	n := len(rows)
	shuffled := slices.Clone(rows)
	rand.New(rand.NewPCG(3, 4)).Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	b.Run("lake", func(b *testing.B) {
		size := 0
		for range b.N {
			body, err := lake.EncodeAppointments(slices.Clone(shuffled))
			if err != nil {
				b.Fatal(err)
			}
			size = len(body)
		}
		perSecond(b, size)
	})
	b.Run("lake-sorted", func(b *testing.B) {
		size := 0
		for range b.N {
			body, err := lake.EncodeAppointments(rows)
			if err != nil {
				b.Fatal(err)
			}
			size = len(body)
		}
		perSecond(b, size)
	})
}

// BenchmarkImport is a first import of 100,000 appointments of three years into an empty lake in a directory, commit and fsyncs
// included.
func BenchmarkImport(b *testing.B) {
	rows := schedule(100_000, 36)
	for range b.N {
		mustUpsert(b, dirClinic(b), lake.Batch[contract.Appointment]{Rows: rows})
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkUpsert is what later runs cost on a lake of one million appointments of ten years.
func BenchmarkUpsert(b *testing.B) {
	rows := schedule(1_000_000, 120)
	newest := rows[len(rows)-1].ServiceDate
	first := contract.DateOf(rows[0].ServiceDate)
	changed := slices.Clone(rows[500_000:500_100]) // of one month, which others must be searched for
	for i := range changed {
		changed[i].State, changed[i].ObservedOn = "archived", newest+10
	}
	cases := map[string]lake.Batch[contract.Appointment]{
		"100-changed-rows": {Rows: changed},
		"last-90-days-again": {Rows: slices.DeleteFunc(slices.Clone(rows), func(r contract.Appointment) bool { return r.ServiceDate < newest-90 }),
			Covers: []lake.Cover{{From: contract.DateOf(newest - 90), To: contract.DateOf(newest), ObservedOn: contract.DateOf(newest + 5)}}},
		"everything-again": {Rows: rows, Covers: []lake.Cover{{From: first, To: contract.DateOf(newest), ObservedOn: contract.DateOf(newest + 5)}}},
	}
	clinic := dirClinic(b)
	mustUpsert(b, clinic, lake.Batch[contract.Appointment]{Rows: rows})
	for name, batch := range cases {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				_, err := clinic.Update(b.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
					if _, err := lake.Upsert(ctx, tx, lake.Appointments, batch); err != nil {
						return err
					}
					return lake.ErrUnchanged // each turn meets the same lake
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func dirClinic(b testing.TB) *lake.Clinic {
	b.Helper()
	store, err := lake.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return openClinic(b, store)
}
