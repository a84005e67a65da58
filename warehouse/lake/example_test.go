package lake_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// An import and what a reader sees of it.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "lake")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	store, err := lake.OpenStore(ctx, folder) // or s3://bucket/prefix
	if err != nil {
		log.Fatal(err)
	}
	clinic, err := lake.Open(store, "harbour-street", lake.Options{
		NamingKey: []byte("thirty-two bytes out of the vault"),
		Now:       func() time.Time { return time.Date(2026, 9, 2, 6, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		log.Fatal(err)
	}

	reportDay := civil.Date{Year: 2026, Month: time.September, Day: 1}
	batch := lake.Batch[contract.Appointment]{
		Rows: []contract.Appointment{
			{AppointmentID: 7, State: "arrived", ServiceDate: contract.DayOf(reportDay.AddDays(-1)), ObservedOn: contract.DayOf(reportDay)},
			{AppointmentID: 8, State: "booked", ServiceDate: contract.DayOf(reportDay), ObservedOn: contract.DayOf(reportDay)},
		},
		Covers: []lake.Cover{{From: reportDay.AddDays(-1), To: reportDay, ObservedOn: reportDay}},
	}
	commit, err := clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		merged, err := lake.Upsert(ctx, tx, lake.Appointments, batch)
		if err != nil {
			return err
		}
		fmt.Println("added", merged.Added, "in", merged.Months)
		tx.AdvanceAsOf(reportDay)
		return tx.SetSource("files", map[string]string{"newest": "harbour-street_appointments_20260831_20260901.csv"})
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("commit", commit.Number, "as of", commit.AsOf)

	snapshot := clinic.Snapshot(commit)
	for row, err := range lake.Rows(ctx, snapshot, lake.Appointments) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(contract.DateOf(row.ServiceDate), row.State)
	}
	local, err := snapshot.Materialise(ctx, lake.Want{Datasets: []string{"appointments"}})
	if err != nil {
		log.Fatal(err)
	}
	defer local.Close()
	fmt.Println(len(local.Datasets["appointments"]), "Parquet files for DuckDB")
	// Output:
	// added 2 in [2026-08 2026-09]
	// commit 1 as of 2026-09-01
	// 2026-08-31 arrived
	// 2026-09-01 booked
	// 2 Parquet files for DuckDB
}
