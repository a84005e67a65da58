package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// TestBudget counts all runs of a day of the clinic's together, and says when the next one begins.
func TestBudget(t *testing.T) {
	toronto, err := time.LoadLocation("America/Toronto")
	if err != nil {
		t.Fatal(err)
	}
	store := &storetest.Memory{}
	var now time.Time
	at := func(text string) {
		t.Helper()
		if now, err = time.Parse(time.RFC3339, text); err != nil {
			t.Fatal(err)
		}
	}
	machineOf := func(limit int) *budget {
		s := siteOn(t, store)
		s.now = func() time.Time { return now }
		return newBudget(s, toronto, limit)
	}
	here, there := machineOf(100), machineOf(100)
	spend := func(b *budget, n int, resets string) {
		t.Helper()
		err := b.spend(t.Context(), n)
		if resets == "" {
			if err != nil {
				t.Errorf("at %s: %v", now, err)
			}
			return
		}
		var failure *extractors.Failure
		if !errors.As(err, &failure) || failure.Cause != extractors.RateLimited || !strings.Contains(failure.Hint, "resets at "+resets) || !strings.Contains(failure.Hint, "--budget") {
			t.Errorf("at %s: %v; want it to say that it resets at %s", now, err, resets)
		}
	}
	at("2026-07-01T22:00:00-04:00") // the 2nd in UTC
	spend(here, 0, "")
	spend(here, 60, "")
	spend(there, 39, "")
	at("2026-07-01T23:59:59-04:00")
	spend(here, 1, "2026-07-02 00:00 EDT")
	spend(there, 0, "2026-07-02 00:00 EDT")
	if err := machineOf(-1).open(t.Context()); err != nil {
		t.Errorf("without a budget: %v", err)
	}
	spend(machineOf(101), 0, "")
	at("2026-07-02T00:00:00-04:00")
	spend(there, 0, "")
	spend(here, 99, "")
	spend(here, 900, "2026-07-03 00:00 EDT")
	// The day on which clocks go back ends when the clinic's does.
	at("2026-11-01T12:00:00-05:00")
	spend(here, 100, "2026-11-02 00:00 EST")
	if machineOf(0).limit != DefaultBudget {
		t.Errorf("the usual budget is %d", machineOf(0).limit)
	}
}
