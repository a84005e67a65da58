package schedule

import (
	"slices"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func parsed(t testing.TB, text string) Cron {
	t.Helper()
	c, err := ParseCron(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// between are the times of a cron expression within two days, as a clock there shows them.
func between(c Cron, from, to time.Time, z *time.Location) (out []string) {
	for at := c.Next(from.Add(-time.Nanosecond), z); at.Before(to); at = c.Next(at, z) {
		out = append(out, at.In(z).Format("01-02 15:04 -0700"))
	}
	return out
}

// Nights on which clocks change have each time once: what is skipped comes right after, what comes twice counts the first time.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone, cron, from string
		want             []string
	}{
		{"America/Vancouver", "30 2 * * *", "2026-03-07", []string{"03-07 02:30 -0800", "03-08 03:00 -0700", "03-09 02:30 -0700"}},
		{"America/Vancouver", "30 1 * * *", "2026-10-31", []string{"10-31 01:30 -0700", "11-01 01:30 -0700", "11-02 01:30 -0800"}},
		{"America/Vancouver", "15 3 * * *", "2026-03-07", []string{"03-07 03:15 -0800", "03-08 03:15 -0700", "03-09 03:15 -0700"}},
		{"America/Vancouver", "15 3 * * *", "2026-10-31", []string{"10-31 03:15 -0700", "11-01 03:15 -0800", "11-02 03:15 -0800"}},
		{"Europe/London", "30 1 * * *", "2026-03-28", []string{"03-28 01:30 +0000", "03-29 02:00 +0100", "03-30 01:30 +0100"}},
		{"Europe/London", "30 1 * * *", "2026-10-24", []string{"10-24 01:30 +0100", "10-25 01:30 +0100", "10-26 01:30 +0000"}},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03", []string{"10-03 02:15 +1030", "10-04 02:30 +1100", "10-05 02:15 +1100"}},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04", []string{"04-04 01:45 +1100", "04-05 01:45 +1100", "04-06 01:45 +1030"}},
		{"America/Cayman", "30 2 * * *", "2026-03-07", []string{"03-07 02:30 -0500", "03-08 02:30 -0500", "03-09 02:30 -0500"}},
		// Midnight itself is skipped there.
		{"America/Santiago", "0 0 * * *", "2026-09-05", []string{"09-05 00:00 -0400", "09-06 01:00 -0300", "09-07 00:00 -0300"}},
		// Several times in the hour that is skipped are one.
		{"America/Vancouver", "*/20 2 * * *", "2026-03-08", []string{"03-08 03:00 -0700", "03-09 02:00 -0700", "03-09 02:20 -0700", "03-09 02:40 -0700", "03-10 02:00 -0700", "03-10 02:20 -0700", "03-10 02:40 -0700"}},
	} {
		z := zone(t, test.zone)
		from, err := time.ParseInLocation(time.DateOnly, test.from, z)
		if err != nil {
			t.Fatal(err)
		}
		if got := between(parsed(t, test.cron), from, from.AddDate(0, 0, 3), z); !slices.Equal(got, test.want) {
			t.Errorf("%s in %s: %q, want %q", test.cron, test.zone, got, test.want)
		}
	}
}

// Every day of some years has every time once, in order, wherever the clinic is.
func TestEveryDayHasItsTimeOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"America/Vancouver", "Europe/London", "Australia/Lord_Howe", "America/Cayman"} {
		z := zone(t, name)
		for _, text := range []string{"0 0 * * *", "30 1 * * *", "10 2 * * *", "30 2 * * *", "59 23 * * *"} {
			c := parsed(t, text)
			day := time.Date(2025, 1, 1, 0, 0, 0, 0, z)
			at := c.Next(day.Add(-time.Nanosecond), z)
			for ; day.Year() < 2026; day = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, z) {
				if local := at.In(z); local.YearDay() != day.YearDay() || local.Year() != day.Year() {
					t.Fatalf("%s in %s: on %s it comes at %s", text, name, day.Format(time.DateOnly), local)
				}
				if last := c.Last(at, z); !last.Equal(at) {
					t.Fatalf("%s in %s: at %s the last is %s", text, name, at, last)
				}
				next := c.Next(at, z)
				if last := c.Last(next.Add(-time.Second), z); !last.Equal(at) {
					t.Fatalf("%s in %s: before %s the last is %s, not %s", text, name, next, last, at)
				}
				at = next
			}
		}
	}
}

func TestCron(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/Toronto")
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, z)
	for text, want := range map[string][2]string{
		"15 3 * * *":   {"2026-05-13 03:15", "2026-05-14 03:15"},
		"0 6 1 * *":    {"2026-05-01 06:00", "2026-06-01 06:00"},
		"0 7 * * 1":    {"2026-05-11 07:00", "2026-05-18 07:00"},
		"*/10 * * * *": {"2026-05-13 12:00", "2026-05-13 12:10"},
		"0 0 29 2 *":   {"0001-01-01 00:00", "2028-02-29 00:00"},
	} {
		c := parsed(t, text)
		last, next := c.Last(now, z), c.Next(now, z)
		if last.Format("2006-01-02 15:04") != want[0] || next.Format("2006-01-02 15:04") != want[1] || c.String() != text {
			t.Errorf("%s: last %s, next %s, want %v", text, last, next, want)
		}
	}
	for _, text := range []string{"", "off", " off "} {
		if c := parsed(t, text); !c.Off() || !c.Next(now, z).IsZero() || !c.Last(now, z).IsZero() || c.String() != "off" {
			t.Errorf("%q is not off", text)
		}
	}
	for _, text := range []string{"every night", "61 3 * * *", "15 3 * *", "0 15 3 * * *", "CRON_TZ=Asia/Tokyo 15 3 * * *", "@daily"} {
		if _, err := ParseCron(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/Vancouver")
	hours := func(from, to float64) Quiet {
		return Quiet{time.Duration(from * float64(time.Hour)), time.Duration(to * float64(time.Hour))}
	}
	for _, test := range []struct {
		quiet    Quiet
		at, want string
	}{
		{hours(8, 18), "2026-05-13 07:59", "2026-05-13 07:59"},
		{hours(8, 18), "2026-05-13 08:00", "2026-05-13 18:00"},
		{hours(8, 18), "2026-05-13 17:59", "2026-05-13 18:00"},
		{hours(8, 18), "2026-05-13 18:00", "2026-05-13 18:00"},
		{hours(22, 6.5), "2026-05-13 23:00", "2026-05-14 06:30"},
		{hours(22, 6.5), "2026-05-13 03:15", "2026-05-13 06:30"},
		{hours(22, 6.5), "2026-05-13 12:00", "2026-05-13 12:00"},
		{hours(22, 6.5), "2026-03-07 23:00", "2026-03-08 06:30"}, // an hour less
		{hours(1, 2.5), "2026-03-08 01:30", "2026-03-08 03:00"},  // their end is skipped
		{Quiet{}, "2026-05-13 03:15", "2026-05-13 03:15"},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", test.at, z)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.quiet.End(at, z).In(z).Format("2006-01-02 15:04"); got != test.want {
			t.Errorf("%v: %s is put off to %s, want %s", test.quiet, test.at, got, test.want)
		}
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/Toronto")
	timing := Timing{Cron: parsed(t, "15 3 * * *"), Zone: z, Jitter: 45 * time.Minute, Seed: "harbour run"}
	night := time.Date(2026, 5, 13, 3, 15, 0, 0, z)
	seen := map[time.Duration]bool{}
	for n := range 200 {
		at := night.AddDate(0, 0, n)
		off := timing.begins(at).Sub(at)
		if off < 0 || off >= timing.Jitter || off != timing.begins(at).Sub(at) {
			t.Fatalf("night %d begins %s later", n, off)
		}
		seen[off] = true
	}
	other := timing
	other.Seed = "lake run"
	if len(seen) < 150 || timing.begins(night).Equal(other.begins(night)) {
		t.Errorf("200 nights begin at %d different times", len(seen))
	}
	often := timing
	often.Cron = parsed(t, "*/10 * * * *")
	for n := range 100 {
		at := night.Add(time.Duration(n) * 10 * time.Minute).Truncate(10 * time.Minute)
		if off := often.begins(at).Sub(at); off >= 5*time.Minute {
			t.Fatalf("what comes every ten minutes is put off by %s", off)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/Toronto")
	at := func(text string) time.Time {
		when, err := time.ParseInLocation("01-02 15:04", text, z)
		if err != nil {
			t.Fatal(err)
		}
		return when.AddDate(2026, 0, 0)
	}
	timing := Timing{Cron: parsed(t, "15 3 * * *"), Zone: z, Quiet: Quiet{8 * time.Hour, 18 * time.Hour}}
	for name, test := range map[string]struct {
		p             Progress
		now           string
		want, wantsAt string
	}{
		"never done":                         {Progress{}, "05-13 02:00", "05-12 03:15", "05-12 03:15"},
		"done last night":                    {Progress{Due: at("05-13 03:15")}, "05-13 12:00", "05-14 03:15", "05-14 03:15"},
		"a night that is missed":             {Progress{Due: at("05-12 03:15")}, "05-13 06:00", "05-13 03:15", "05-13 03:15"},
		"many that are missed are one":       {Progress{Due: at("05-01 03:15")}, "05-13 06:00", "05-13 03:15", "05-13 03:15"},
		"to be tried again":                  {Progress{Due: at("05-13 03:15"), Again: at("05-13 04:00")}, "05-13 03:30", "05-13 03:15", "05-13 04:00"},
		"tried again not in the quiet hours": {Progress{Due: at("05-13 03:15"), Again: at("05-13 08:10")}, "05-13 07:50", "05-13 03:15", "05-13 18:00"},
		"the next night is another":          {Progress{Due: at("05-13 03:15"), Again: at("05-14 03:10")}, "05-14 03:20", "05-14 03:15", "05-14 03:15"},
		"a clock that was wrong":             {Progress{Due: at("05-20 03:15")}, "05-13 12:00", "05-21 03:15", "05-21 03:15"},
	} {
		got := timing.Next(test.p, at(test.now))
		if !got.Occurrence.Equal(at(test.want)) || !got.At.Equal(at(test.wantsAt)) {
			t.Errorf("%s: %s at %s, want %s at %s", name, got.Occurrence.In(z), got.At.In(z), test.want, test.wantsAt)
		}
	}
	if due := (Timing{Zone: z}).Next(Progress{}, at("05-13 12:00")); !due.At.IsZero() {
		t.Errorf("what is off is due at %s", due.At)
	}
}
