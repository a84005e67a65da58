package jane_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
)

func TestParsePause(t *testing.T) {
	for text, want := range map[string][2]time.Duration{
		"3s-20s": {3 * time.Second, 20 * time.Second}, "1m": {time.Minute, time.Minute}, " 500ms - 2s ": {500 * time.Millisecond, 2 * time.Second},
	} {
		if from, to, err := jane.ParsePause(text); err != nil || [2]time.Duration{from, to} != want {
			t.Errorf("%q is read as %v to %v, %v", text, from, to, err)
		}
	}
	for text, says := range map[string]string{
		"": "write it as 3s-20s", "3-20": "write it as 3s-20s", "3s-": "write it as 3s-20s", "20s-3s": "the shorter one comes first",
		"0s": "there is always one", "0s-3s": "there is always one", "-3s": "write it as 3s-20s", "1s-11m": "use quiet hours",
	} {
		if _, _, err := jane.ParsePause(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("of %q is said: %v", text, err)
		}
	}
}

// TestQuietHoursSayWhenTheyEnd is about hours within a day and over midnight, in the clinic's zone, also where clocks change.
func TestQuietHoursSayWhenTheyEnd(t *testing.T) {
	toronto, err := time.LoadLocation("America/Toronto")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ hours, now, until string }{
		{"08:00-18:00", "2026-07-01T07:59:59-04:00", ""},
		{"08:00-18:00", "2026-07-01T08:00:00-04:00", "2026-07-01 18:00 EDT"},
		{"08:00-18:00", "2026-07-01T12:00:00Z", "2026-07-01 18:00 EDT"},
		{"08:00-18:00", "2026-07-01T18:00:00-04:00", ""},
		{"22:00-06:00", "2026-07-01T23:00:00-04:00", "2026-07-02 06:00 EDT"},
		{"22:00-06:00", "2026-07-02T05:59:00-04:00", "2026-07-02 06:00 EDT"},
		{"22:00-06:00", "2026-10-31T23:00:00-04:00", "2026-11-01 06:00 EST"},
		{"18:00-24:00", "2026-07-01T20:00:00-04:00", "2026-07-02 00:00 EDT"},
	} {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		p := jane.Politeness{Zone: toronto}
		if p.QuietFrom, p.QuietTo, err = jane.ParseQuietHours(test.hours); err != nil {
			t.Fatal(err)
		}
		got := p.Quiet(now)
		if test.until == "" {
			if got != nil {
				t.Errorf("%s at %s: %v", test.hours, test.now, got)
			}
			continue
		}
		var failure *extractors.Failure
		if !errors.As(got, &failure) || failure.Cause != extractors.Paused || !strings.Contains(failure.Hint, "from "+test.until+";") {
			t.Errorf("%s at %s: %v; want it to end at %s", test.hours, test.now, got, test.until)
		}
	}
}
