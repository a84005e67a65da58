// Package watch says when a clinic's falloff is above its usual range.
//
// Every day up to which a patient was seen or expected is a trial: N days later a lapse has begun there or not (the mart
// falloff_watch counts both by week). What the last 52 weeks' hazards expect of this week's trials is held against this week's
// lapses by the risk-adjusted cumulative sum of Steiner, Cook, Farewell and Treasure (2000, Biostatistics 1:441): a week adds the
// log-likelihood ratio of twice the hazard to the usual one, the sum never falls below 0 (Page 1954, Biometrika 41:100), and at
// Threshold it is an alarm and begins again. With exact hazards and independent patients such a sum reaches h by chance
// once in e^h weeks at most (Lorden 1971, Annals of Mathematical Statistics 42:1897).
//
// Patients are not independent: holidays and leaves make weeks in which many lapse. The ratio is divided by how much more than a
// binomial count the weeks of the baseline themselves vary (a quasi-likelihood; Wedderburn 1974, Biometrika 61:439).
package watch

import (
	"cmp"
	"math"
	"slices"

	"cloud.google.com/go/civil"
)

// What the watch is set to. docs/decisions/0040-an-alarm-for-falloff.md says why.
const (
	// BaselineWeeks are those that the usual hazards are taken from. They end GapWeeks before the week that is watched, so that a
	// change does not become usual before it is found.
	BaselineWeeks = 52
	GapWeeks      = 8
	// Threshold is the logarithm of the weeks that pass at least between two false alarms, on average: those of a year.
	Threshold = 3.9512437185814275 // log 52
	// EnoughLapses is what a baseline must hold: with fewer, its hazards are not known well enough to say that one has doubled.
	EnoughLapses = 52
	// prior is how many trials the hazard of the wider group counts as, in a stratum.
	prior = 20
)

// A Stratum is what trials are alike in.
type Stratum struct {
	Discipline, Visits, LastWas string
}

// Count is how many trials of a stratum came due in a week, and how many of them were lapses.
type Count struct {
	Week civil.Date
	Stratum
	Trials, Lapses int64
}

// Week is what the watch says of one week.
type Week struct {
	From           civil.Date
	Trials, Lapses int64
	// Expected is how many lapses the usual hazards expect of the trials. Dispersion is by how much more than a binomial count
	// the weeks of the baseline vary, 1 or more.
	Expected, Dispersion float64
	// Sum is the cumulative sum after this week; Alarm says that it reached Threshold.
	Sum   float64
	Alarm bool
	// Raised is, at an alarm, the first of the weeks that the sum was above 0 since.
	Raised civil.Date
	// Watched is false where the baseline has too few weeks or lapses; then the sum stands still.
	Watched bool
}

// Weeks watches all weeks from the first count to last, the newest whose lapses can all be told. Counts after it are left out.
func Weeks(counts []Count, last civil.Date) []Week {
	if len(counts) == 0 {
		return nil
	}
	first := slices.MinFunc(counts, func(a, b Count) int { return a.Week.Compare(b.Week) }).Week
	if last.Before(first) {
		return nil
	}
	strata := strataOf(counts)
	weeks := make([][]tally, last.DaysSince(first)/7+1)
	for i := range weeks {
		weeks[i] = make([]tally, len(strata))
	}
	for _, c := range counts {
		if i := c.Week.DaysSince(first) / 7; i < len(weeks) {
			at, _ := slices.BinarySearchFunc(strata, c.Stratum, Stratum.compare)
			weeks[i][at].add(tally{c.Trials, c.Lapses})
		}
	}
	out := make([]Week, len(weeks))
	sum, raised := 0.0, first
	for i, now := range weeks {
		w := Week{From: first.AddDays(7 * i)}
		for _, t := range now {
			w.Trials, w.Lapses = w.Trials+t.trials, w.Lapses+t.lapses
		}
		if from := i - GapWeeks - BaselineWeeks; from >= 0 {
			if usual := baselineOf(strata, weeks[from:i-GapWeeks]); usual.lapses >= EnoughLapses {
				w.Watched, w.Dispersion = true, usual.dispersion
				var ratio float64
				w.Expected, ratio = usual.judge(now)
				if sum == 0 {
					raised = w.From
				}
				sum = max(0, sum+ratio/usual.dispersion)
			}
		}
		w.Sum = sum
		if sum >= Threshold {
			w.Alarm, w.Raised, sum = true, raised, 0
		}
		out[i] = w
	}
	return out
}

func (s Stratum) compare(t Stratum) int {
	return cmp.Or(cmp.Compare(s.Visits, t.Visits), cmp.Compare(s.LastWas, t.LastWas), cmp.Compare(s.Discipline, t.Discipline))
}

// strataOf are all there are, those with the same visits and the same last together.
func strataOf(counts []Count) []Stratum {
	var out []Stratum
	for _, c := range counts {
		out = append(out, c.Stratum)
	}
	slices.SortFunc(out, Stratum.compare)
	return slices.Compact(out)
}

type tally struct{ trials, lapses int64 }

func (t *tally) add(u tally) { t.trials, t.lapses = t.trials+u.trials, t.lapses+u.lapses }

// baseline is what is usual: the hazard of each stratum, how many lapses it is from, and how the weeks vary.
type baseline struct {
	hazards    []float64
	lapses     int64
	dispersion float64
}

// baselineOf draws a stratum's hazard to that of the same visits in all disciplines as far as it is seldom, and that to all trials'. No
// hazard is 0 or 1.
func baselineOf(strata []Stratum, weeks [][]tally) *baseline {
	own := make([]tally, len(strata))
	var all tally
	for _, week := range weeks {
		for i, t := range week {
			own[i].add(t)
			all.add(t)
		}
	}
	b := &baseline{hazards: make([]float64, len(strata)), lapses: all.lapses, dispersion: 1}
	anywhere := (float64(all.lapses) + 1) / (float64(all.trials) + 2)
	for from := 0; from < len(strata); {
		to, wider := from, tally{}
		for ; to < len(strata) && strata[to].Visits == strata[from].Visits && strata[to].LastWas == strata[from].LastWas; to++ {
			wider.add(own[to])
		}
		for i := from; i < to; i++ {
			b.hazards[i] = drawn(own[i], drawn(wider, anywhere))
		}
		from = to
	}
	var squares, variances float64
	for _, week := range weeks {
		difference := 0.0
		for i, t := range week {
			p := b.hazards[i]
			difference += float64(t.lapses) - float64(t.trials)*p
			variances += float64(t.trials) * p * (1 - p)
		}
		squares += difference * difference
	}
	if variances > 0 {
		b.dispersion = max(1, squares/variances)
	}
	return b
}

func drawn(t tally, to float64) float64 {
	return (float64(t.lapses) + prior*to) / (float64(t.trials) + prior)
}

// judge gives the lapses that are expected of a week's trials, and the log-likelihood ratio of the cumulative hazard being twice as high:
// the chance of no lapse is then the square of the usual one.
func (b *baseline) judge(week []tally) (expected, ratio float64) {
	for i, t := range week {
		p := b.hazards[i]
		expected += float64(t.trials) * p
		ratio += float64(t.lapses)*math.Log(2-p) + float64(t.trials-t.lapses)*math.Log1p(-p)
	}
	return expected, ratio
}
