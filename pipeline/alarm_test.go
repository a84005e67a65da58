package pipeline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/notify"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// TestAlarmOfALake has patients come weekly for two years, one in ten leaving after each visit. In one of two clinics six in ten leave in a
// week of the last months: its owner hears of it within six weeks of the day on which those lapses are told, and the other's never.
func TestAlarmOfALake(t *testing.T) {
	t.Parallel()
	typed, err := settings.Parse([]byte("clinic: watched\ntime_zone: America/Toronto\ncurrency: CAD\n"), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const weeks, falloffDays = 112, 42
	first := civil.Date{Year: 2024, Month: time.January, Day: 1} // a Monday
	leave := first.AddDays(7 * 100)                              // the week in which they leave
	told := func(t *testing.T, leaving bool) map[civil.Date]notify.Event {
		t.Helper()
		draw := rand.New(rand.NewPCG(7, 7))
		var file bytes.Buffer
		file.WriteString("id,location_name,start_at,end_at,patient_guid,patient_first_name,patient_last_name,treatment_name,staff_member_name,state,booked_at,arrived_at,cancelled_at\n")
		id := 0
		for patient := range weeks * 6 {
			for week := patient / 6; week < weeks; week++ {
				day := first.AddDays(7*week + patient%5)
				id++
				fmt.Fprintf(&file, "%d,L,%[2]s 09:00:00,%[2]s 10:00:00,00000000-0000-4000-8000-%012[3]d,Wilhelmina,Vandenberg,T,Robin,arrived,%[2]s 08:00:00,%[2]s 09:00:00,\n", id, day, patient)
				left := draw.Float64()
				if left < 0.1 || leaving && left < 0.6 && !day.Before(leave) && day.Before(leave.AddDays(7)) {
					break
				}
			}
		}
		site := testSite(t, "watched")
		report := extractors.Report{Name: "0_appointments_20240101_20260301.csv", Body: file.Bytes(), StatedRows: -1}
		in, err := site.Ingest(t.Context(), handed{report}, pipeline.IngestOptions{Source: "hand", Settings: &typed})
		if err != nil || in.Files[0].Quarantined > 0 {
			t.Fatalf("%+v, %v", in, err)
		}
		events := map[civil.Date]notify.Event{}
		for asOf := leave.AddDays(falloffDays - 1); asOf.Before(leave.AddDays(falloffDays + 42)); asOf = asOf.AddDays(14) {
			if _, err := site.Build(t.Context(), pipeline.BuildOptions{AsOf: asOf}); err != nil {
				t.Fatal(err)
			}
			all, _, err := site.Notices(t.Context(), notify.Rules{Falloff: true}, &notify.State{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				events[asOf] = e
			}
		}
		return events
	}
	t.Run("as ever", func(t *testing.T) {
		t.Parallel()
		if events := told(t, false); len(events) > 0 {
			t.Errorf("an alarm about nothing: %+v", events)
		}
	})
	t.Run("many leave", func(t *testing.T) {
		t.Parallel()
		events := told(t, true)
		if len(events) == 0 {
			t.Fatal("nobody is told")
		}
		for asOf, e := range events {
			if asOf.Before(leave.AddDays(falloffDays)) {
				t.Errorf("told on %s, before they had lapsed: %+v", asOf, e)
			}
			if e.Kind != notify.Falloff || e.Clinic != "watched" || e.AsOf != asOf {
				t.Errorf("told is %+v", e)
			}
			if e.Lapses == nil || float64(e.Lapses.Count) < 2*e.Lapses.Expected {
				t.Errorf("told on %s: %+v", asOf, e.Lapses)
			}
		}
	})
}
