package jane

import (
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors/browser"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 9, 30, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 90 ": 90 * time.Second, "0": 0, "-5": 0, "soon": 0, "1e3": 0,
		"99999999999": maxWait, "99999999999999999999": 0,
		"Wed, 30 Sep 2026 09:05:00 GMT": 5 * time.Minute, "Wed, 30 Sep 2026 08:55:00 GMT": 0, "Wed, 30 Sep 2037 09:05:00 GMT": maxWait,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", text, got, want)
		}
	}
}

// A moment is by the portal's clock, whose answer tells what time it is there.
func TestRetryAfterIsByThePortalsClock(t *testing.T) {
	a := answers{clock: func() time.Time { return time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC) }}
	a.note(browser.Answer{Purpose: "p", Status: 429, Date: "Wed, 30 Sep 2026 09:04:00 GMT", RetryAfter: "Wed, 30 Sep 2026 09:05:00 GMT"})
	if _, status, after := a.troubled(); status != 429 || after != time.Minute {
		t.Errorf("status %d, after %v", status, after)
	}
	if ahead, known := a.skew(); !known || ahead > -2*time.Hour {
		t.Errorf("the portal's clock is %v ahead (%v)", ahead, known)
	}
}
