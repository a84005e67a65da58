package models

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// withoutColumns writes rows of a file without some columns, as a version of the contract did that did not have them yet.
func withoutColumns(t *testing.T, rows []contract.Appointment, path string, gone ...string) {
	t.Helper()
	group := parquet.Group{}
	for _, field := range parquet.SchemaOf(contract.Appointment{}).Fields() {
		if !slices.Contains(gone, field.Name()) {
			group[field.Name()] = field
		}
	}
	var body bytes.Buffer
	w := parquet.NewGenericWriter[contract.Appointment](&body, parquet.NewSchema("Appointment", group))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A column that came into the contract later is null in the partitions from before, whichever of them is read first; one that is
// never null cannot be missing, and a type never changes silently.
func TestANewColumnIsNullInOldPartitions(t *testing.T) {
	folder := t.TempDir()
	reason := "patient_request"
	row := func(id int64) contract.Appointment {
		return contract.Appointment{AppointmentID: id, State: "cancelled", ServiceDate: 20_000, ObservedOn: 20_001, CancelledReason: &reason}
	}
	old, present := filepath.Join(folder, "a.parquet"), filepath.Join(folder, "b.parquet")
	withoutColumns(t, []contract.Appointment{row(1)}, old, "cancelled_reason", "booked_online")
	withoutColumns(t, []contract.Appointment{row(2)}, present)
	for name, files := range map[string][]string{"beside a new one": {old, present}, "the only ones": {old}} {
		t.Run(name, func(t *testing.T) {
			s, err := open(t.Context(), Inputs{Tables: map[string][]string{contract.Appointments: files}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			if err := s.exec(t.Context(), "create schema lake"); err != nil {
				t.Fatal(err)
			}
			if err := s.loadDatasets(t.Context(), map[string][]string{contract.Appointments: files}, nil); err != nil {
				t.Fatal(err)
			}
			var nulls, filled int
			if err := s.conn.QueryRowContext(t.Context(), `select count(*) filter (cancelled_reason is null and booked_online is null and appointment_id = 1),
				count(*) filter (cancelled_reason = 'patient_request') from lake.appointments`).Scan(&nulls, &filled); err != nil {
				t.Fatal(err)
			}
			if nulls != 1 || filled != len(files)-1 {
				t.Errorf("%d rows without, %d with", nulls, filled)
			}
		})
	}
	missing := filepath.Join(folder, "c.parquet")
	withoutColumns(t, []contract.Appointment{row(3)}, missing, "state")
	other := filepath.Join(folder, "d.parquet")
	type texts struct {
		ServiceDate string `parquet:"service_date"`
	}
	if err := parquet.WriteFile(other, []texts{{"2026-01-05"}}); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string][]string{"no column state": {missing}, "column service_date is": {present, other}} {
		s, err := open(t.Context(), Inputs{Tables: map[string][]string{contract.Appointments: files}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if err := s.exec(t.Context(), "create schema lake"); err != nil {
			t.Fatal(err)
		}
		err = s.loadDatasets(t.Context(), map[string][]string{contract.Appointments: files}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
