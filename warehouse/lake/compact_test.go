package lake_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// earlierVisit is an appointment as an earlier version of the contract had it: some columns of today are missing.
type earlierVisit struct {
	AppointmentID int64  `parquet:"appointment_id"`
	Seat          int32  `parquet:"seat"`
	State         string `parquet:"state,dict"`
	ServiceDate   int32  `parquet:"service_date,date"`
	ObservedOn    int32  `parquet:"observed_on,date"`
}

func (e earlierVisit) Unit() string {
	return contract.Appointment{AppointmentID: e.AppointmentID}.Unit()
}
func (e earlierVisit) Day() int32         { return e.ServiceDate }
func (e earlierVisit) Observed() int32    { return e.ObservedOn }
func (e earlierVisit) PatientRef() string { return "" }
func (e earlierVisit) Key() string {
	return contract.Appointment{AppointmentID: e.AppointmentID, Seat: e.Seat}.Key()
}

// moodyVisit has a column that this program does not know.
type moodyVisit struct {
	AppointmentID int64  `parquet:"appointment_id"`
	Seat          int32  `parquet:"seat"`
	State         string `parquet:"state,dict"`
	ServiceDate   int32  `parquet:"service_date,date"`
	ObservedOn    int32  `parquet:"observed_on,date"`
	Mood          string `parquet:"mood,dict"`
}

func (m moodyVisit) plain() earlierVisit {
	return earlierVisit{m.AppointmentID, m.Seat, m.State, m.ServiceDate, m.ObservedOn}
}
func (m moodyVisit) Unit() string       { return m.plain().Unit() }
func (m moodyVisit) Day() int32         { return m.ServiceDate }
func (m moodyVisit) Observed() int32    { return m.ObservedOn }
func (m moodyVisit) PatientRef() string { return "" }
func (m moodyVisit) Key() string        { return m.plain().Key() }

func TestCompactBringsPartitionsToThePresentColumns(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	table, err := lake.NewTable[earlierVisit]("appointments", "service_date", "appointment_id")
	if err != nil {
		t.Fatal(err)
	}
	upsertInto(t, clinic, table, lake.Batch[earlierVisit]{Rows: []earlierVisit{{1, 0, "booked", day("2026-01-05"), day("2026-01-01")}}})
	mustUpsert(t, clinic, appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")})
	before := stored(t, clinic)
	was := head(t, clinic)
	done, commit, err := clinic.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := done["appointments"]; commit.Number != was.Number+1 || commit.Kind != lake.Compaction || d.Objects != 2 || d.Written != 1 || d.Rows != 2 {
		t.Errorf("%+v, commit %d", done, commit.Number)
	}
	objects := commit.Datasets["appointments"].Objects
	if objects[0].Schema != objects[1].Schema || !reflect.DeepEqual(objects[1], was.Datasets["appointments"].Objects[1]) {
		t.Errorf("%+v", objects)
	}
	if after := stored(t, clinic); !reflect.DeepEqual(after, before) {
		t.Errorf("%v became %v", before, after)
	}
	sound(t, clinic)
	if _, again, err := clinic.Compact(t.Context()); err != nil || again.Number != commit.Number {
		t.Errorf("once more: %+v, %v", again, err)
	}
	if _, _, err := newMemoryClinic(t).Compact(t.Context()); err == nil {
		t.Error("a clinic without commits was compacted")
	}
}

func TestCompactRefusesToLoseAColumn(t *testing.T) {
	clinic := newMemoryClinic(t)
	table, err := lake.NewTable[moodyVisit]("appointments", "service_date", "appointment_id")
	if err != nil {
		t.Fatal(err)
	}
	upsertInto(t, clinic, table, lake.Batch[moodyVisit]{Rows: []moodyVisit{{1, 0, "booked", day("2026-01-05"), day("2026-01-01"), "good"}}})
	if _, _, err := clinic.Compact(t.Context()); err == nil || !strings.Contains(err.Error(), "mood") || !strings.Contains(err.Error(), "newer") {
		t.Errorf("%v", err)
	}
}
