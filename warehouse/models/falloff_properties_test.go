package models

import (
	stdsql "database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// sums are the columns of each mart that count, so that they add up over patients. Not among them is n_risk by days, which has
// no row at a time that only the other half has, reactivations and whatever else takes a median of the whole discipline.
var sums = map[string][]string{
	"falloff_by_days":  {"n_event", "n_censor"},
	"falloff_by_visit": {"visits", "stopped", "n_risk", "n_event", "n_censor"},
	"falloff_outcomes": {"n_event"},
	"falloff_summary":  {"episodes", "lapsed", "first_visits", "second_visits", "visits", "rebooked"},
	"falloff_watch":    {"trials", "lapses"},
	"cohort_retention": {"cohort_size", "active"},
	"show_rates":       {"appointments", "arrived", "no_shows", "cancelled", "unclosed", "expected", "decided", "with_lead"},
	"missed_recovery":  {"missed", "due_14", "recovered_14", "due_30", "recovered_30"},
	"visits_by_week":   {"appointments", "patients"},
}

// TestHalvesOfAClinicAddUp cuts a clinic in two by patient: what is counted in the halves is what is counted in the whole.
func TestHalvesOfAClinicAddUp(t *testing.T) {
	clinic := newRandomClinic(t, 41, 120)
	// What the halves share are facts about the clinic: when history began, and how far back the list looks.
	history := clinic.asOf
	for _, a := range clinic.Appointments {
		if day := contract.DateOf(a.ServiceDate); day.Before(history) {
			history = day
		}
	}
	long := contract.DayOf(history)
	nobody := contract.UnscheduledPatient{Patient: "p1_nobody", LastVisitOn: &long, ObservedOn: clinic.Unscheduled[0].ObservedOn}
	clinic.Unscheduled = append(clinic.Unscheduled, nobody)

	built := func(c *randomClinic) *Result {
		in := c.inputs(t, 1, nil)
		in.HistoryFrom = history
		return buildOf(t, in)
	}
	whole := built(clinic)
	var halves []*Result
	for half := range 2 {
		is := func(patient string) bool { return patient == "p1_nobody" || int(patient[5]-'0')%2 == half }
		part := *clinic
		part.Appointments = only(clinic.Appointments, func(a contract.Appointment) bool { return is(*a.Patient) })
		part.Lines = only(clinic.Lines, func(l contract.InvoiceLine) bool { return is(l.Patient) })
		part.Unscheduled = only(clinic.Unscheduled, func(u contract.UnscheduledPatient) bool { return is(u.Patient) })
		part.Said = only(clinic.Said, func(s contract.LeakStep) bool { return is(*s.Patient) })
		part.Claims, part.Policies, part.Applied, part.Adjustments, part.WriteOffs = nil, nil, nil, nil, nil
		halves = append(halves, built(&part))
	}
	db := openDuckDB(t)
	for name, columns := range sums {
		files := make([]string, 3)
		for i, result := range []*Result{whole, halves[0], halves[1]} {
			files[i] = martFile(t, result, name)
		}
		mart, _ := whole.Mart(name)
		keys := strings.Join(mart.Key, ", ")
		for _, column := range columns {
			var total, wrong int64
			query := fmt.Sprintf(`
				with cells as (
					select %[1]s, sum(%[2]s) filter (where part = 0) as whole, sum(%[2]s) filter (where part > 0) as parts
					from (
						select 0 as part, * from %[3]s union all by name select 1 as part, * from %[4]s union all by name select 2 as part, * from %[5]s
					)
					group by %[1]s
				)
				select coalesce(sum(whole), 0)::bigint, count(*) filter (where whole is distinct from parts) from cells`,
				keys, column, quoted(files[0]), quoted(files[1]), quoted(files[2]))
			if err := db.QueryRowContext(t.Context(), query).Scan(&total, &wrong); err != nil {
				t.Fatal(err)
			}
			if wrong > 0 || total == 0 {
				t.Errorf("%s.%s: %d cells are not the sum of their halves; all of them come to %d", name, column, wrong, total)
			}
		}
	}
}

func only[T any](rows []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(rows), func(row T) bool { return !keep(row) })
}

func openDuckDB(t *testing.T) *stdsql.DB {
	t.Helper()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := stdsql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func martFile(t *testing.T, result *Result, name string) string {
	t.Helper()
	mart, isThere := result.Mart(name)
	if !isThere {
		t.Fatalf("no mart %s", name)
	}
	path := filepath.Join(t.TempDir(), name+".parquet")
	if err := os.WriteFile(path, mart.Parquet, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestALaterCensoredPatientLowersNoEarlierEstimate adds somebody who has come every twenty days for two years: more are at risk
// for longer, so that no curve that was there is lower anywhere.
func TestALaterCensoredPatientLowersNoEarlierEstimate(t *testing.T) {
	clinic := newRandomClinic(t, 42, 80)
	before := buildOf(t, clinic.inputs(t, 1, nil))
	faithful, first := "p1_faithful", true
	for back := 680; back >= 0; back -= 20 {
		day := clinic.asOf.AddDays(-back)
		starts := day.In(clinic.zone).UnixMicro()
		a := contract.Appointment{
			AppointmentID: int64(1_000_000 - back), Patient: &faithful, Location: "Main", StaffMember: "Kim", Treatment: "Physio", State: contract.Arrived,
			ServiceDate: contract.DayOf(day), StartsAt: starts, EndsAt: starts, TimeZone: clinic.zone.String(), ObservedOn: contract.DayOf(clinic.asOf),
		}
		if first {
			isFirst := true
			a.FirstVisit, first = &isFirst, false
		}
		clinic.Appointments = append(clinic.Appointments, a)
	}
	in := clinic.inputs(t, 1, nil)
	after := buildOf(t, in)
	db := openDuckDB(t)
	for mart, at := range map[string]string{"falloff_by_days": "time", "falloff_by_visit": "visit_number"} {
		var points, raised, lowered int64
		query := fmt.Sprintf(`
			select count(*), count(*) filter (where new.survival > old.survival), count(*) filter (where new.survival < old.survival - %g)
			from %s as old inner join %s as new using (discipline, dimension, value, %s%s)`,
			math.Nextafter(1, 2)-1, quoted(martFile(t, before, mart)), quoted(martFile(t, after, mart)), at,
			map[bool]string{true: ", definition"}[mart == "falloff_by_days"])
		if err := db.QueryRowContext(t.Context(), query).Scan(&points, &raised, &lowered); err != nil {
			t.Fatal(err)
		}
		if points < 100 || raised == 0 || lowered > 0 {
			t.Errorf("%s: of %d points %d are higher with one who stays, %d are lower", mart, points, raised, lowered)
		}
	}
}
