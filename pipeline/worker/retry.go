package worker

import (
	"math/rand/v2"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/unit"
)

// Pauses are how long a job waits before it is tried again.
type Pauses struct {
	// First is the pause after the first attempt that is worth another; each one after it is twice as long, up to Longest.
	First, Longest time.Duration
	// Slow takes First's place where the portal asked for less, or is closed: rate_limited, portal_maintenance.
	Slow time.Duration
	// Refused is the pause before incomplete data are asked for once more, Bug before something unexpected is tried once more.
	Refused, Bug time.Duration
}

// DefaultPauses suit a portal at night.
func DefaultPauses() Pauses {
	return Pauses{First: 5 * time.Minute, Longest: 2 * time.Hour, Slow: 30 * time.Minute, Refused: 45 * time.Minute, Bug: 10 * time.Minute}
}

// mostTries is how often an order is carried out that ends so, where time alone does not bound it.
var mostTries = map[unit.Verdict]int{unit.Person: 1, unit.Refused: 2, unit.Bug: 2}

// again says after how long an order that has ended so for the nth time is tried again; ok is false where it is not.
//
// A credential that was rejected is never tried again: that verdict is a person's, whose number of tries is one.
func (p Pauses) again(v unit.Verdict, cause string, tries int) (pause time.Duration, ok bool) {
	if most, bounded := mostTries[v]; bounded && tries >= most {
		return 0, false
	}
	switch v {
	case unit.Later:
		pause = p.First
		if cause == "rate_limited" || cause == "portal_maintenance" {
			pause = p.Slow
		}
		for range tries - 1 {
			pause = min(2*pause, p.Longest)
		}
	case unit.Refused:
		pause = p.Refused
	default:
		pause = p.Bug
	}
	// A fifth more or less, so that clinics that failed together do not come back together.
	return pause*4/5 + rand.N(pause*2/5+1), true
}
