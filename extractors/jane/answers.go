package jane

import (
	"sync"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// answers remembers how the portal answered, since the last time it was asked to forget.
type answers struct {
	mu      sync.Mutex
	counts  map[string]int
	trouble extractors.Cause
	status  int
}

func (a *answers) note(answer browser.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts == nil {
		a.counts = map[string]int{}
	}
	a.counts[answer.Purpose]++
	if cause := causeOf(answer); cause != "" && a.trouble == "" {
		a.trouble, a.status = cause, answer.Status
	}
}

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

// troubled is the first trouble since forget, and the status that told of it.
func (a *answers) troubled() (extractors.Cause, int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trouble, a.status
}

func (a *answers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trouble, a.status = "", 0
}
