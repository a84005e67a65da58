package jane

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// answers remembers how the portal answered, since the last time it was asked to forget.
type answers struct {
	mu      sync.Mutex
	counts  map[string]int
	trouble extractors.Cause
	status  int
	// after is how long the answer with the trouble asked to wait.
	after time.Duration
	// statuses are the latest, by purpose.
	statuses map[string]int
	// ahead is how far the portal's clock was ahead of ours at its latest answer, where it says what time it is.
	ahead     time.Duration
	knowsTime bool

	clock func() time.Time
}

func (a *answers) note(answer browser.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts == nil {
		a.counts, a.statuses = map[string]int{}, map[string]int{}
	}
	a.counts[answer.Purpose]++
	a.statuses[answer.Purpose] = answer.Status
	now := time.Now()
	if a.clock != nil {
		now = a.clock()
	}
	theirs, err := http.ParseTime(answer.Date)
	if a.knowsTime = err == nil; a.knowsTime {
		// It says whole seconds: on average half a second less than it is.
		a.ahead = theirs.Add(time.Second / 2).Sub(now)
	} else {
		theirs = now
	}
	if cause := causeOf(answer); cause != "" && a.trouble == "" {
		a.trouble, a.status, a.after = cause, answer.Status, retryAfter(answer.RetryAfter, theirs)
	}
}

// retryAfter reads the header of that name: seconds, or a moment by the portal's clock. It is 0 where there is none, or
// nothing that can be read.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 && seconds < int(maxWait/time.Second) {
		return time.Duration(seconds) * time.Second
	} else if err == nil && seconds > 0 {
		return maxWait
	}
	at, err := http.ParseTime(text)
	if err != nil || !at.After(now) {
		return 0
	}
	return min(at.Sub(now), maxWait)
}

// dateOr is the moment that a Date header names, or another where it names none.
func dateOr(text string, now time.Time) time.Time {
	if at, err := http.ParseTime(text); err == nil {
		return at
	}
	return now
}

// maxWait is the longest that a portal can ask us to wait; more is as good as for ever.
const maxWait = 24 * time.Hour

// causeOf is what an answer alone says about the portal; its text may say it better.
func causeOf(answer browser.Answer) extractors.Cause {
	switch {
	case answer.Failure == "Aborted" || answer.Failure == "BlockedByClient":
		// The page itself gave the request up, for example by moving on.
		return ""
	case answer.Failure != "":
		return extractors.Network
	case answer.Status == 401:
		return extractors.SessionExpired
	case answer.Status == 403:
		return extractors.PermissionMissing
	case answer.Status == 423:
		return extractors.AccountLocked
	case answer.Status == 429:
		return extractors.RateLimited
	case answer.Status == 503:
		return extractors.PortalMaintenance
	case answer.Status >= 500:
		return extractors.Network
	}
	return ""
}

// count is how often requests of a purpose were answered.
func (a *answers) count(purpose string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[purpose]
}

// troubled is the first trouble since forget, the status that told of it, and how long it asked to wait.
func (a *answers) troubled() (extractors.Cause, int, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trouble, a.status, a.after
}

// latest is the latest status for a purpose, 0 where none was answered.
func (a *answers) latest(purpose string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.statuses[purpose]
}

// skew is how far the portal's clock is ahead of ours, and whether it told.
func (a *answers) skew() (time.Duration, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ahead, a.knowsTime
}

func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trouble, a.status, a.after = "", 0, 0
}
