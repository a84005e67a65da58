package watch

import (
	"math"
	"math/rand/v2"

	"cloud.google.com/go/civil"
)

// A simulated clinic: its patients differ, book or don't, miss bookings; it closes over Christmas, its summers are quieter, and its
// practitioners go on leave.
type simulated struct {
	practitioners int
	newAWeek      float64 // patients who come for the first time
	// changedOn is the day from which each visit's hazard is times as high; none where times is 0 or 1.
	changedOn, days int
	times           float64
}

const lapseDays = 42

var simulatedFrom = civil.Date{Year: 2020, Month: 1, Day: 6} // a Monday

// counts simulates a clinic and counts what the mart counts, as of the end of its days.
func (c simulated) counts(r *rand.Rand) []Count {
	tallies := map[Count]tally{}
	leaves := c.leaves(r)
	for day := range c.days {
		if c.isClosed(day, nil) {
			continue
		}
		rate := c.newAWeek / 5 * c.season(day)
		for range poisson(r, rate) {
			practitioner := r.IntN(c.practitioners)
			c.patient(r, day, leaves[practitioner], func(due int, s Stratum, lapsed bool) {
				if due >= c.days {
					return
				}
				key := Count{Week: simulatedFrom.AddDays(due - due%7), Stratum: s}
				t := tallies[key]
				t.trials++
				if lapsed {
					t.lapses++
				}
				tallies[key] = t
			})
		}
	}
	out := make([]Count, 0, len(tallies))
	for key, t := range tallies {
		key.Trials, key.Lapses = t.trials, t.lapses
		out = append(out, key)
	}
	return out
}

// patient lives through an episode up to its first lapse.
func (c simulated) patient(r *rand.Rand, day int, leave map[int]bool, trial func(due int, s Stratum, lapsed bool)) {
	frailty := 0.6 * r.NormFloat64()
	discipline := []string{"Physiotherapy", "Massage Therapy"}[r.IntN(2)]
	for visits := 1; day < c.days; visits++ {
		band, odds := "over_5", 0.09
		switch {
		case visits == 1:
			band, odds = "1", 0.45
		case visits == 2:
			band, odds = "2", 0.22
		case visits <= 5:
			band, odds = "3-5", 0.14
		}
		odds *= math.Exp(frailty)
		lastWas := "visit"
		for {
			p := c.hazard(day, odds)
			s := Stratum{discipline, band, lastWas}
			if r.Float64() < p {
				trial(day+lapseDays, s, true)
				return
			}
			gap := min(40, max(1, int(math.Round(9*math.Exp(0.6*r.NormFloat64())))))
			next := day + gap
			for c.isClosed(next, leave) {
				next++
			}
			if next-day > lapseDays { // the leave was too long
				trial(day+lapseDays, s, true)
				return
			}
			trial(day+lapseDays, s, false)
			day = next
			if r.Float64() >= 0.08 { // seen; else a booking was missed
				break
			}
			lastWas = "booking"
		}
	}
}

func (c simulated) hazard(day int, odds float64) float64 {
	if month := simulatedFrom.AddDays(day).Month; month == 7 || month == 12 {
		odds *= 1.2
	}
	p := odds / (1 + odds)
	if c.times > 0 && day >= c.changedOn {
		p = min(1, c.times*p)
	}
	return p
}

func (c simulated) season(day int) float64 {
	switch simulatedFrom.AddDays(day).Month {
	case 1:
		return 1.2
	case 7, 8:
		return 0.8
	default:
		return 1
	}
}

func (c simulated) isClosed(day int, leave map[int]bool) bool {
	date := simulatedFrom.AddDays(day)
	return day%7 >= 5 || leave[day] || date.Month == 12 && date.Day >= 23 || date.Month == 1 && date.Day <= 2
}

// leaves are the days on which each practitioner is away: two or three weeks twice a year.
func (c simulated) leaves(r *rand.Rand) []map[int]bool {
	out := make([]map[int]bool, c.practitioners)
	for i := range out {
		out[i] = map[int]bool{}
		for half := 0; half < c.days; half += 182 {
			from, long := half+r.IntN(160), 14+7*r.IntN(2)
			for d := range long {
				out[i][from+d] = true
			}
		}
	}
	return out
}

func poisson(r *rand.Rand, mean float64) int {
	n, product, limit := 0, r.Float64(), math.Exp(-mean)
	for product > limit {
		n++
		product *= r.Float64()
	}
	return n
}
