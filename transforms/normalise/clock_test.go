package normalise_test

import (
	"testing"
	"time"

	_ "time/tzdata"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

func clock(t testing.TB, zone string) normalise.Clock {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return normalise.Clock{Zone: location}
}

func TestInstant(t *testing.T) {
	tests := []struct{ zone, cell, want string }{
		{"America/Vancouver", "2026-09-01 08:30:00 -0700", "2026-09-01T15:30:00Z"},
		{"America/Toronto", "2026-09-01 08:30:00 -0700", "2026-09-01T15:30:00Z"}, // the offset counts, not the zone
		{"America/Vancouver", "2026-09-01 15:30:00 UTC", "2026-09-01T15:30:00Z"},
		{"America/Vancouver", "2026-09-01T15:30:00Z", "2026-09-01T15:30:00Z"},
		{"America/Vancouver", "2026-09-01T21:00:00+05:30", "2026-09-01T15:30:00Z"},
		{"America/Vancouver", "2026-09-01 08:30:15.25 -07", "2026-09-01T15:30:15.25Z"},
		{"America/Vancouver", "2026-09-01 08:30:00", "2026-09-01T15:30:00Z"},
		{"America/Vancouver", "2026-09-01 08:30", "2026-09-01T15:30:00Z"},
		{"America/Vancouver", "2026/01/05 08:30:00", "2026-01-05T16:30:00Z"},
		// 46266 is 2026-09-01 in Excel: 8.5 hours are 0.354166… of a day.
		{"America/Vancouver", "46266.354166666664", "2026-09-01T15:30:00Z"},
		{"America/Vancouver", "46266", "2026-09-01T07:00:00Z"},
		{"UTC", "46265.99999999", "2026-09-01T00:00:00Z"},
		// Toronto goes through 01:00–02:00 twice on 2026-11-01; wall time means the first pass, at UTC−4.
		{"America/Toronto", "2026-11-01 00:59:00", "2026-11-01T04:59:00Z"},
		{"America/Toronto", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z"},
		{"America/Toronto", "2026-11-01 01:30:00 -0500", "2026-11-01T06:30:00Z"},
		{"America/Toronto", "2026-11-01 02:00:00", "2026-11-01T07:00:00Z"},
		// and jumps from 02:00 to 03:00 on 2026-03-08; 02:30 becomes 03:30 at UTC−4.
		{"America/Toronto", "2026-03-08 01:59:00", "2026-03-08T06:59:00Z"},
		{"America/Toronto", "2026-03-08 02:30:00", "2026-03-08T07:30:00Z"},
		{"America/Toronto", "2026-03-08 03:00:00", "2026-03-08T07:00:00Z"},
		{"America/Toronto", "2026-03-08 12:00:00", "2026-03-08T16:00:00Z"},
		// East of Greenwich, and the other way round the year: doubled on 2026-04-05, jumped on 2026-10-04.
		{"Australia/Sydney", "2026-04-05 02:30:00", "2026-04-04T15:30:00Z"},
		{"Australia/Sydney", "2026-04-05 03:00:00", "2026-04-04T17:00:00Z"},
		{"Australia/Sydney", "2026-10-04 02:30:00", "2026-10-03T16:30:00Z"},
		// Lord Howe Island changes by half an hour.
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z"},
		{"Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03T15:45:00Z"},
	}
	for _, test := range tests {
		micros, reason := clock(t, test.zone).Instant([]byte(test.cell))
		got := time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
		if reason != "" || got != test.want {
			t.Errorf("%s %q: %s %s, want %s", test.zone, test.cell, got, reason, test.want)
		}
	}
}

func TestBadInstants(t *testing.T) {
	c := clock(t, "America/Vancouver")
	for cell, want := range map[string]normalise.Reason{
		"": normalise.Missing, " ": normalise.Missing,
		"2026-09-01": normalise.BadInstant, "2026-02-30 10:00:00": normalise.BadInstant, "2026-13-01 10:00:00": normalise.BadInstant,
		"2026-09-01 24:00:00": normalise.BadInstant, "2026-09-01 10:60:00": normalise.BadInstant,
		"2026-09-01 10:00:00 PST": normalise.BadInstant, "2026-09-01 10:00:00 +1500": normalise.BadInstant,
		"2026-09-01 10:00:00 -07:0": normalise.BadInstant, "2026-09-01 8:30": normalise.BadInstant,
		"2026-09-01 10:00:00 -0700 x": normalise.BadInstant, "yesterday": normalise.BadInstant, "12": normalise.BadInstant,
		"9999999": normalise.BadInstant, "1.2": normalise.BadInstant, "2026-09-01x10:00": normalise.BadInstant,
		"09/01/2026 08:30": normalise.AmbiguousDate, "9/1/26 8:30 AM": normalise.AmbiguousDate,
		"1800-01-01 10:00:00": normalise.BadInstant,
	} {
		if micros, reason := c.Instant([]byte(cell)); reason != want || micros != 0 {
			t.Errorf("Instant(%q) = %d, %q; want %s", cell, micros, reason, want)
		}
	}
}

func TestDay(t *testing.T) {
	c := clock(t, "America/Toronto")
	for cell, want := range map[string]string{
		"2026-09-01": "2026-09-01", "2026/09/01": "2026-09-01", "Sep 1, 2026": "2026-09-01", "September 1, 2026": "2026-09-01",
		"Sept 1 2026": "2026-09-01", "Sep. 1, 2026": "2026-09-01", "1 Sep 2026": "2026-09-01", "SEP 01, 2026": "2026-09-01",
		"46266": "2026-09-01", "46266.75": "2026-09-01", "2024-02-29": "2024-02-29", " 2026-09-01 ": "2026-09-01",
		"9999-12-31": "9999-12-31", "2026-09-01 00:00:00": "2026-09-01",
		"2026-09-02 03:30:00 UTC":   "2026-09-01", // half past eleven in the evening in Toronto
		"2026-09-01 23:30:00 -0700": "2026-09-02",
	} {
		day, reason := c.Day([]byte(cell))
		if got := contract.DateOf(day).String(); reason != "" || got != want {
			t.Errorf("Day(%q) = %s, %s; want %s", cell, got, reason, want)
		}
	}
	for cell, want := range map[string]normalise.Reason{
		"": normalise.Missing, "09/01/2026": normalise.AmbiguousDate, "1-9-26": normalise.AmbiguousDate, "01.09.2026": normalise.AmbiguousDate,
		"2026-02-29": normalise.BadDate, "2026-9-1": normalise.BadDate, "Foo 1, 2026": normalise.BadDate, "Sep 31, 2026": normalise.BadDate,
		"Sep 1": normalise.BadDate, "20260901": normalise.BadDate, "2026-09-01 junk": normalise.BadDate, "0": normalise.BadDate,
		"Sep 100, 2026": normalise.BadDate, "Sep 1, 26": normalise.BadDate, "Ma 1, 2026": normalise.BadDate,
	} {
		if _, reason := c.Day([]byte(cell)); reason != want {
			t.Errorf("Day(%q): %q, want %s", cell, reason, want)
		}
	}
}

func TestDate1904(t *testing.T) {
	c := clock(t, "UTC")
	c.Date1904 = true
	// The same day is 1462 days less in a workbook that counts from 1904.
	day, reason := c.Day([]byte("44804"))
	if got := contract.DateOf(day); reason != "" || got != (civil.Date{Year: 2026, Month: time.September, Day: 1}) {
		t.Errorf("%s %s", got, reason)
	}
}

// FuzzInstant: an accepted wall time shows the same wall time in the zone, unless the clocks jump over it.
func FuzzInstant(f *testing.F) {
	for _, seed := range []string{"2026-09-01 08:30:00 -0700", "2026-09-01 15:30:00 UTC", "2026-11-01 01:30:00", "46266.35", "Sep 1, 2026", "2026-03-08T02:30"} {
		f.Add(seed)
	}
	toronto := clock(f, "America/Toronto")
	f.Fuzz(func(t *testing.T, cell string) {
		micros, reason := toronto.Instant([]byte(cell))
		day, dayReason := toronto.Day([]byte(cell))
		if reason != "" {
			return
		}
		if dayReason != "" || day != toronto.LocalDay(micros) {
			t.Fatalf("%q: the instant's day is %v, Day says %v %s", cell, contract.DateOf(toronto.LocalDay(micros)), contract.DateOf(day), dayReason)
		}
		shown := time.UnixMicro(micros).In(toronto.Zone).Format("2006-01-02 15:04:05.999999")
		again, reason := toronto.Instant([]byte(shown))
		// The second pass of a doubled hour prints like the first.
		if reason != "" || (again != micros && micros-again != 3600*1e6) {
			t.Fatalf("%q is %s, which reads as %s %s", cell, shown, time.UnixMicro(again).UTC(), reason)
		}
	})
}
