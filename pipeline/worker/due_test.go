package worker

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // as the program has it

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/unit"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	at, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A clinic's night comes at its own time there, whatever clocks do in it, and is about its yesterday.
func TestWhenANightIsDue(t *testing.T) {
	t.Parallel()
	nights := Nights{At: civil.Time{Hour: 2, Minute: 30}}
	for _, test := range []struct {
		zone, now, day, until string
		priority              int
	}{
		{"America/Toronto", "2026-01-10T07:29:59Z", "", "", 0},
		{"America/Toronto", "2026-01-10T07:30:00Z", "2026-01-09", "2026-01-11T05:00:00Z", PriorityNightly},
		{"America/Toronto", "2026-01-10T13:30:00Z", "2026-01-09", "2026-01-11T05:00:00Z", PriorityNightly},
		{"America/Toronto", "2026-01-10T13:30:01Z", "2026-01-09", "2026-01-11T05:00:00Z", PriorityCatchUp},
		{"America/Toronto", "2026-01-11T04:59:59Z", "2026-01-09", "2026-01-11T05:00:00Z", PriorityCatchUp},
		{"America/Toronto", "2026-01-11T05:00:00Z", "", "", 0},
		{"Pacific/Auckland", "2026-01-09T13:30:00Z", "2026-01-09", "2026-01-10T11:00:00Z", PriorityNightly},
		// 02:30 does not exist there on that day: clocks show 03:30 then. And it exists twice on this one: the first counts.
		{"America/Toronto", "2026-03-08T07:29:59Z", "2026-03-07", "2026-03-09T04:00:00Z", PriorityNightly},
		{"America/Toronto", "2026-03-08T06:29:59Z", "", "", 0},
		{"America/Toronto", "2026-11-01T07:30:00Z", "2026-10-31", "2026-11-02T05:00:00Z", PriorityNightly},
	} {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		night, priority, ok := nights.due(Clinic{ID: "a", Zone: zone(t, test.zone)}, now)
		got := fmt.Sprint(night.Day, " ", night.Until.UTC().Format(time.RFC3339), " ", priority)
		if want := fmt.Sprint(test.day, " ", test.until, " ", test.priority); ok != (test.day != "") || ok && got != want {
			t.Errorf("%s at %s: %s %v, want %s", test.zone, test.now, got, ok, want)
		}
	}
}

// Clinics are spread over the time that there is for it, each at the same minute every night.
func TestNightsAreSpread(t *testing.T) {
	t.Parallel()
	nights := DefaultNights()
	const clinics, slots = 1000, 8
	var in [slots]int
	date := civil.Date{Year: 2026, Month: 1, Day: 10}
	first := date.In(time.UTC).Add(3*time.Hour + 15*time.Minute)
	for n := range clinics {
		c := Clinic{ID: fmt.Sprintf("clinic-%d", n), Zone: time.UTC}
		begin := nights.begin(c, date)
		after := begin.Sub(first)
		if after < 0 || after >= nights.Spread || nights.begin(c, date.AddDays(1)).Sub(begin) != 24*time.Hour {
			t.Fatalf("%s begins %s", c.ID, begin)
		}
		in[after*slots/nights.Spread]++
	}
	for slot, n := range in {
		if n < clinics/slots/2 || n > clinics/slots*2 {
			t.Errorf("%d of %d clinics in part %d of %d: %v", n, clinics, slot, slots, in)
		}
	}
}

// Pauses grow to the longest, and are longer where the portal asked for less.
func TestPauses(t *testing.T) {
	t.Parallel()
	p := DefaultPauses()
	for _, test := range []struct {
		verdict unit.Verdict
		cause   string
		tries   int
		want    time.Duration // 0 for never again
	}{
		{unit.Later, "network", 1, 5 * time.Minute},
		{unit.Later, "network", 3, 20 * time.Minute},
		{unit.Later, "network", 40, 2 * time.Hour},
		{unit.Later, "rate_limited", 1, 30 * time.Minute},
		{unit.Later, "portal_maintenance", 2, time.Hour},
		{unit.Refused, "export_incomplete", 1, 45 * time.Minute},
		{unit.Refused, "export_incomplete", 2, 0},
		{unit.Bug, "unexpected", 1, 10 * time.Minute},
		{unit.Bug, "unexpected", 2, 0},
		{unit.Person, "wrong_password", 1, 0},
	} {
		for range 20 {
			pause, ok := p.again(test.verdict, test.cause, test.tries)
			if ok != (test.want > 0) || ok && (pause < test.want*4/5 || pause > test.want*6/5) {
				t.Errorf("%s (%s), try %d: %s %v, want about %s", test.verdict, test.cause, test.tries, pause, ok, test.want)
			}
		}
	}
}
