package watch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"cloud.google.com/go/civil"
)

// clinics are of sizes by the lapses that a week expects.
var clinics = []struct {
	name          string
	practitioners int
	newAWeek      float64
	inCI          bool
}{
	{"one practitioner, two new patients a week", 1, 2, false},
	{"one practitioner, three new patients a week", 1, 3, false},
	{"two practitioners", 2, 5, true},
	{"four practitioners", 4, 10, true},
	{"ten practitioners", 10, 30, false},
}

// warmUp is how many weeks pass before the first is watched.
const warmUp = BaselineWeeks + GapWeeks + lapseDays/7 + 2

func isLong() bool { return os.Getenv("FALLOFF_LONG") != "" }

// TestUnchangedClinicsRaiseAtMostOneAlarmAYear watches simulated clinics for three years each.
func TestUnchangedClinicsRaiseAtMostOneAlarmAYear(t *testing.T) {
	t.Parallel()
	each := 35
	if isLong() {
		each = 200
	}
	for _, size := range clinics {
		if !size.inCI && !isLong() {
			continue
		}
		t.Run(size.name, func(t *testing.T) {
			t.Parallel()
			watched, alarms := 0, 0
			expected, dispersion := 0.0, 0.0
			for seed := range each {
				r := rand.New(rand.NewPCG(uint64(seed), 1))
				c := simulated{practitioners: size.practitioners, newAWeek: size.newAWeek, days: 7 * (warmUp + 156)}
				for _, w := range Weeks(c.counts(r), simulatedFrom.AddDays(c.days-14)) {
					if w.Watched {
						watched++
						expected, dispersion = expected+w.Expected, dispersion+w.Dispersion
					}
					if w.Alarm {
						alarms++
					}
				}
			}
			years := float64(watched) / 52
			bound := upperMean(alarms) / years
			t.Logf("%.0f clinic-years, %.1f lapses a week expected, dispersion %.2f: %.2f alarms a clinic-year, at most %.2f (95 %%)",
				years, expected/float64(watched), dispersion/float64(watched), float64(alarms)/years, bound)
			if years < 3*float64(each)-10 || alarms == 0 {
				t.Errorf("%.0f clinic-years watched, %d alarms: the simulation proves nothing", years, alarms)
			}
			if bound > 1 {
				t.Errorf("%d false alarms in %.0f clinic-years: that can be %.2f a year", alarms, years, bound)
			}
		})
	}
}

// upperMean is the mean of a Poisson count above which as few as these come in at most one case of twenty (Garwood 1936).
func upperMean(events int) float64 {
	mean := float64(events)
	for ; ; mean += 0.01 {
		sum, term := 0.0, math.Exp(-mean)
		for k := range events + 1 {
			sum += term
			term *= mean / float64(k+1)
		}
		if sum <= 0.05 {
			return mean
		}
	}
}

// TestADoubledHazardIsFoundWithinSixWeeks counts the six weeks from the first day on which a lapse that began after the change can be
// told, N days and one after it.
func TestADoubledHazardIsFoundWithinSixWeeks(t *testing.T) {
	t.Parallel()
	each := 80
	if isLong() {
		each = 500
	}
	for _, size := range clinics {
		if !size.inCI && !isLong() {
			continue
		}
		t.Run(size.name, func(t *testing.T) {
			t.Parallel()
			var delays []int
			found := 0
			for seed := range each {
				r := rand.New(rand.NewPCG(uint64(seed), 2))
				changed := 7*(warmUp+20+seed%40) + seed%5
				c := simulated{
					practitioners: size.practitioners, newAWeek: size.newAWeek, days: changed + 7*30, changedOn: changed, times: 2,
				}
				delay := math.MaxInt
				for _, w := range Weeks(c.counts(r), simulatedFrom.AddDays(c.days-14)) {
					told := w.From.AddDays(7).DaysSince(simulatedFrom) - (changed + lapseDays + 1)
					if w.Alarm && told >= 0 {
						delay = min(delay, told)
					}
				}
				delays = append(delays, delay)
				if delay <= 42 {
					found++
				}
			}
			slices.Sort(delays)
			share := float64(found) / float64(each)
			t.Logf("%.0f %% found within six weeks, half of them in %d days, nine of ten in %d", 100*share, delays[each/2], delays[each*9/10])
			if size.practitioners > 1 && share < 0.9 {
				t.Errorf("%d of %d found within six weeks", found, each)
			}
		})
	}
}

// steady is a clinic in which every week has the same trials and lapses.
func steady(weeks int, trials, lapses int64) []Count {
	var out []Count
	for i := range weeks {
		out = append(out, Count{civil.Date{Year: 2024, Month: 1, Day: 1}.AddDays(7 * i), Stratum{"Physiotherapy", "1", "visit"}, trials, lapses})
	}
	return out
}

func TestWhatAWeekAdds(t *testing.T) {
	t.Parallel()
	counts := steady(62, 100, 10)
	counts[60].Lapses = 20
	weeks := Weeks(counts, counts[61].Week)
	if weeks[59].Watched || !weeks[60].Watched {
		t.Fatal("the first week that is watched is not the 61st")
	}
	// One stratum, so that its hazard is nearly 520 of 5200, and no dispersion.
	p := drawn(tally{5200, 520}, drawn(tally{5200, 520}, 521.0/5202))
	want := 20*math.Log(2-p) + 80*math.Log(1-p)
	if got := weeks[60]; math.Abs(got.Sum-want) > 1e-9 || math.Abs(got.Expected-10) > 0.01 || got.Dispersion != 1 {
		t.Errorf("week %+v, want the sum %v", got, want)
	}
	if !weeks[60].Alarm || weeks[61].Sum != 0 || weeks[61].Alarm {
		t.Errorf("after an alarm the sum begins again, and an ordinary week adds nothing: %+v", weeks[61])
	}
}

// A change is not in the baseline that it is held against for eight weeks.
func TestTheBaselineEndsBeforeTheChange(t *testing.T) {
	t.Parallel()
	counts := steady(80, 100, 10)
	for i := 70; i < 80; i++ {
		counts[i].Lapses = 20
	}
	weeks := Weeks(counts, counts[79].Week)
	for i := 70; i < 80; i++ {
		if usual := math.Abs(weeks[i].Expected-10) < 0.01; usual != (i <= 78) {
			t.Errorf("week %d expects %v", i-69, weeks[i].Expected)
		}
	}
	if !slices.ContainsFunc(weeks, func(w Week) bool { return w.Alarm && w.Raised == counts[70].Week }) {
		t.Error("no alarm says since when")
	}
}

func TestTooFewLapsesAreNotWatched(t *testing.T) {
	t.Parallel()
	counts := steady(70, 10, 0)
	for i := range 51 {
		counts[i].Lapses = 1
	}
	for i := 60; i < 70; i++ {
		counts[i].Lapses = 10
	}
	for _, w := range Weeks(counts, counts[67].Week) { // later baselines have the lapses of week 61
		if w.Watched || w.Alarm {
			t.Errorf("watched from 51 lapses: %+v", w)
		}
	}
	counts[51].Lapses = 1
	if w := Weeks(counts, counts[69].Week); !w[60].Watched {
		t.Error("52 lapses are enough")
	}
}

// Weeks that vary more than independent patients would need more to be an alarm.
func TestDispersionIsTheWeeksOwn(t *testing.T) {
	t.Parallel()
	counts := steady(61, 100, 10)
	for i := range 60 {
		counts[i].Lapses = int64(4 + 12*(i%2))
	}
	counts[60].Lapses = 24
	w := Weeks(counts, counts[60].Week)[60]
	if want := 36.0 / 9; math.Abs(w.Dispersion-want) > 0.01 || w.Alarm {
		t.Errorf("%+v, want the dispersion %v and no alarm", w, want)
	}
}

func ExampleWeeks() {
	counts := steady(64, 50, 5)
	for i := 60; i < 64; i++ {
		counts[i].Lapses = 10 // twice as many as usual
	}
	for _, w := range Weeks(counts, counts[63].Week)[60:] {
		fmt.Printf("%s: %d, usually %.1f; alarm %v\n", w.From, w.Lapses, w.Expected, w.Alarm)
	}
	// Output:
	// 2025-02-24: 10, usually 5.0; alarm false
	// 2025-03-03: 10, usually 5.0; alarm true
	// 2025-03-10: 10, usually 5.0; alarm false
	// 2025-03-17: 10, usually 5.0; alarm true
}
