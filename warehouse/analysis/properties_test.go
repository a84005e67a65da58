package analysis

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
)

// Properties hold for any file; they are tried on seeded random ones. A seed that fails is named by the test.

// seeds is how many files each property is tried on: two by default, forty in the long suites.
func seeds() uint64 {
	if os.Getenv("FALLOFF_LONG") != "" {
		return 40
	}
	return 2
}

type event struct {
	entity string
	day    civil.Date
}

func randomEvents(chance *rand.Rand) []event {
	start := civil.Date{Year: 2024, Month: 1, Day: 1}
	var out []event
	for n := range 25 + chance.IntN(25) {
		at := chance.IntN(500)
		for at < 600 {
			out = append(out, event{fmt.Sprintf("e%d", n), start.AddDays(at)})
			if chance.IntN(5) == 0 {
				break
			}
			at += chance.IntN(1 + chance.IntN(90))
		}
	}
	return out
}

func fileOfEvents(t *testing.T, events []event) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("entity,date\n")
	for _, e := range events {
		fmt.Fprintf(&text, "%s,%s\n", e.entity, e.day)
	}
	return fileOf(t, text.String())
}

func eachMetricOfEvents(file string) []Request {
	var out []Request
	for _, metric := range Metrics(Events) {
		q := requestOf(Events, file)
		q.Metric, q.FalloffDays = metric, 42
		out = append(out, q)
		switch metric {
		case Survival:
			q.Definition = FirstLapse
			out = append(out, q)
		case Alive:
			q.Parameters = &bgnbd.Parameters{R: 1.2, Alpha: 2.5, A: 0.9, B: 3.5}
			out = append(out, q)
		}
	}
	return out
}

func TestOrderAndRepetitionOfRowsChangeNothing(t *testing.T) {
	for seed := range seeds() {
		chance := rand.New(rand.NewPCG(seed, 2))
		events := randomEvents(chance)
		other := slices.Concat(events, events[:len(events)/3])
		chance.Shuffle(len(other), func(i, j int) { other[i], other[j] = other[j], other[i] })
		requests, others := eachMetricOfEvents(fileOfEvents(t, events)), eachMetricOfEvents(fileOfEvents(t, other))
		for i := range requests {
			if a, b := text(ask(t, requests[i])), text(ask(t, others[i])); a != b {
				t.Errorf("seed %d, %s: with rows in another order, and some twice, it is\n%s\nnot\n%s", seed, requests[i].Metric, b, a)
			}
		}
	}
}

func TestWhatComesAfterAsOfChangesOnlyBookings(t *testing.T) {
	for seed := range seeds() {
		events := randomEvents(rand.New(rand.NewPCG(seed, 3)))
		q := requestOf(Events, "")
		var past []event
		for _, e := range events {
			if !e.day.After(q.AsOf) {
				past = append(past, e)
			}
		}
		if len(past) == len(events) {
			t.Fatalf("seed %d: nothing is later", seed)
		}
		booked := map[string]bool{}
		for _, e := range events {
			booked[e.entity] = booked[e.entity] || e.day.After(q.AsOf)
		}
		all, before := eachMetricOfEvents(fileOfEvents(t, events)), eachMetricOfEvents(fileOfEvents(t, past))
		for i := range all {
			header, rows := ask(t, all[i])
			wantHeader, want := ask(t, before[i])
			if all[i].Metric == Status {
				for _, row := range want {
					if booked[row[0]] {
						row[4] = "active"
					}
				}
			}
			if a, b := text(header, rows), text(wantHeader, want); a != b {
				t.Errorf("seed %d, %s: with later events it is\n%s\nwithout\n%s", seed, all[i].Metric, a, b)
			}
		}
	}
}

func TestHalvesAddUpToTheWhole(t *testing.T) {
	for seed := range seeds() {
		events := randomEvents(rand.New(rand.NewPCG(seed, 4)))
		var halves [2][]event
		for _, e := range events {
			half := int(e.entity[len(e.entity)-1]) % 2
			halves[half] = append(halves[half], e)
		}
		add := func(q Request, keys, counts int) map[string][]int64 {
			_, rows := ask(t, q)
			out := map[string][]int64{}
			for _, row := range rows {
				var values []int64
				for _, cell := range row[keys : keys+counts] {
					values = append(values, int64(number(t, cell)))
				}
				out[strings.Join(row[:keys], ",")] = values
			}
			return out
		}
		for _, test := range []struct {
			metric       Metric
			keys, counts int
			from         int // the first of the counts that add up at every key alone
		}{{Retention, 2, 2, 0}, {Survival, 1, 3, 1}} {
			sum := map[string][]int64{}
			for _, half := range halves {
				q := requestOf(Events, fileOfEvents(t, half))
				q.Metric = test.metric
				for key, values := range add(q, test.keys, test.counts) {
					if sum[key] == nil {
						sum[key] = make([]int64, len(values))
					}
					for i, v := range values {
						sum[key][i] += v
					}
				}
			}
			q := requestOf(Events, fileOfEvents(t, events))
			q.Metric = test.metric
			whole := add(q, test.keys, test.counts)
			for key, values := range whole {
				if !slices.Equal(values[test.from:], sum[key][test.from:]) {
					t.Errorf("seed %d, %s at %s: %v, and the halves add up to %v", seed, test.metric, key, values, sum[key])
				}
			}
			if len(whole) != len(sum) {
				t.Errorf("seed %d, %s: %d rows, and the halves have %d", seed, test.metric, len(whole), len(sum))
			}
		}
	}
}

// TestALongerWatchLowersNoEarlierEstimate takes entities that were censored and watches each for longer: who is at risk for
// longer makes the same events rarer, at that time and before.
func TestALongerWatchLowersNoEarlierEstimate(t *testing.T) {
	for seed := range seeds() {
		chance := rand.New(rand.NewPCG(seed, 5))
		var before, after strings.Builder
		before.WriteString("time,event\n")
		after.WriteString("time,event\n")
		first := int64(1 << 40) // the first time at which somebody was censored who is now watched longer
		for range 80 {
			at, isEvent := int64(chance.IntN(60)), chance.IntN(2)
			later := at
			if isEvent == 0 && chance.IntN(3) == 0 {
				later += int64(1 + chance.IntN(40))
				first = min(first, at)
			}
			fmt.Fprintf(&before, "%d,%d\n", at, isEvent)
			fmt.Fprintf(&after, "%d,%d\n", later, isEvent)
		}
		curve := func(file string) map[int64]float64 {
			out := map[int64]float64{}
			_, rows := ask(t, requestOf(Durations, file))
			for _, row := range rows {
				out[int64(number(t, row[0]))] = number(t, row[4])
			}
			return out
		}
		short, long := curve(fileOf(t, before.String())), curve(fileOf(t, after.String()))
		for at, survival := range short {
			longer, isThere := long[at]
			switch {
			case !isThere:
			case longer < survival-1e-15:
				t.Errorf("seed %d: at %d survival is %v, and was %v with a shorter watch", seed, at, longer, survival)
			case at <= first && longer != survival:
				t.Errorf("seed %d: at %d, before anybody's watch changed, survival went from %v to %v", seed, at, survival, longer)
			}
		}
	}
}

func TestCurvesAndScoresKeepTheirBounds(t *testing.T) {
	for seed := range seeds() {
		for _, q := range eachMetricOfEvents(fileOfEvents(t, randomEvents(rand.New(rand.NewPCG(seed, 6))))) {
			header, rows := ask(t, q)
			at := func(row []string, column string) float64 { return number(t, row[slices.Index(header, column)]) }
			last := 1.0
			for i, row := range rows {
				switch q.Metric {
				case Survival:
					if s := at(row, "survival"); s < 0 || s > last {
						t.Errorf("seed %d: survival %v after %v", seed, s, last)
					} else if last = s; s > 0 && s < 1 && !(at(row, "ci_low") < s && s < at(row, "ci_high")) {
						t.Errorf("seed %d: survival outside its interval: %v", seed, row)
					}
					if i > 0 && at(row, "n_risk") != at(rows[i-1], "n_risk")-at(rows[i-1], "n_event")-at(rows[i-1], "n_censor") {
						t.Errorf("seed %d: the number at risk does not follow: %v, %v", seed, rows[i-1], row)
					}
				case Alive:
					if p := at(row, "p_alive"); p < 0 || p > 1 || at(row, "expected") < 0 || at(row, "t_x") > at(row, "t") {
						t.Errorf("seed %d: %v", seed, row)
					}
				case Retention:
					if at(row, "active") > at(row, "cohort_size") || at(row, "month_index") == 0 && at(row, "active") != at(row, "cohort_size") {
						t.Errorf("seed %d: %v", seed, row)
					}
				}
			}
		}
	}
}
