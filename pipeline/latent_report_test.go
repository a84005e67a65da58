package pipeline_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// knowledge is what was seen of what the statuses know, over some clinics.
type knowledge struct {
	clinics int
	days    []civil.Date
	seats   []seat
	// stops are by visit number, from 1: what the marts' curve of the last day counts, and what people did.
	stops [11]stop
}

// stop is what followed the n-th visit.
type stop struct {
	visits, stopped                  int64
	plans, dropped, gaveUp, finished int64
	atRisk, events                   int64 // of the marts' Kaplan-Meier curve
}

// TestWhatTheStatusesKnow compares what the marts say of patients with what they really did, which no report prints: whether they
// left, how they left, and whether they come back. People are free to do as they like, so shares are held only within what chance
// allows; what must hold whatever they do is checked one by one. The long suite prints the tables of docs/measured.md:
//
//	FALLOFF_LONG=1 go test -run TestWhatTheStatusesKnow -v -timeout 60m ./pipeline
func TestWhatTheStatusesKnow(t *testing.T) {
	t.Parallel()
	day := func(year int, month time.Month, day int) civil.Date {
		return civil.Date{Year: year, Month: month, Day: day}
	}
	k := knowledge{days: []civil.Date{day(2025, 8, 31)}}
	seeds, patients := uint64(1), 100
	long := os.Getenv("FALLOFF_LONG") != ""
	if long {
		seeds, patients = 20, 400
		k.days = []civil.Date{day(2024, 12, 31), day(2025, 4, 30), day(2025, 8, 31)}
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		dials := simclinic.DefaultDials()
		dials.Seed, dials.Patients = 40+seed, patients
		k.add(t, dials)
	}
	if k.checkAlive(t); long {
		k.checkStops(t)
	}
	t.Log("\n" + k.report())
}

// add builds the marts of one clinic on each of the days.
func (k *knowledge) add(t *testing.T, dials simclinic.Dials) {
	t.Helper()
	ctx := t.Context()
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	site := testSite(t, "simulated")
	if _, err := site.Ingest(ctx, exported(t, clinic, "csv"), pipeline.IngestOptions{Source: "test", Settings: &typed}); err != nil {
		t.Fatal(err)
	}
	k.clinics++
	for i, on := range k.days {
		if _, err := site.Build(ctx, pipeline.BuildOptions{AsOf: on, Select: []string{"episode_status", "patient_outlook", "falloff_by_visit"}}); err != nil {
			t.Fatal(err)
		}
		view, err := site.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seats := seatsIn(t, clinic, site, view, on)
		for j := range seats {
			seats[j].check(t)
			seats[j].who += fmt.Sprint(" ", dials.Seed)
		}
		k.seats = append(k.seats, seats...)
		if i == len(k.days)-1 {
			k.addStops(t, view)
		}
		_ = view.Close()
	}
	k.addPlans(clinic.Plans(), k.days[len(k.days)-1])
}

// addStops counts the marts' curve by visit number.
func (k *knowledge) addStops(t *testing.T, view *pipeline.View) {
	t.Helper()
	_, rows, err := view.Query(t.Context(), `select visit_number, visits, stopped, n_risk, n_event from marts.falloff_by_visit
		where discipline = 'all' and dimension = 'all' and visit_number <= 10`)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		s := &k.stops[r[0].(int64)]
		s.visits += r[1].(int64)
		s.stopped += r[2].(int64)
		s.atRisk += r[3].(int64)
		s.events += r[4].(int64)
	}
}

// addPlans counts what people did after each visit that was at least plainDays before a day, in the first plan of who was new.
func (k *knowledge) addPlans(plans []simclinic.Plan, on civil.Date) {
	for i := range plans {
		p := &plans[i]
		if p.Known || p.Ending == simclinic.Aside || i > 0 && plans[i-1].Patient == p.Patient && plans[i-1].Discipline == p.Discipline {
			continue
		}
		for n, v := range p.Visits[:min(len(p.Visits), 10)] {
			if on.DaysSince(v.On) < plainDays {
				break
			}
			s := &k.stops[n+1]
			s.plans++
			if n+1 < len(p.Visits) || p.There(on) {
				continue
			}
			switch p.Ending {
			case simclinic.DroppedOff:
				s.dropped++
			case simclinic.Finished:
				s.finished++
			default:
				s.gaveUp++
			}
		}
	}
}

// outcomes are what P(alive) is compared with: being in care, and being seen again by the report date.
var outcomes = []struct {
	name string
	of   func(*seat) bool
}{
	{"in care", func(s *seat) bool { return s.there }},
	{"seen again", func(s *seat) bool { return s.comes }},
}

// plain is what the plain rule says: still there, or not.
func (s *seat) plain() float64 {
	if s.booked || s.shown <= plainDays {
		return 1
	}
	return 0
}

// tenths are the patients with a score by tenths of P(alive).
func (k *knowledge) tenths() (tenths [10][]*seat) {
	for i := range k.seats {
		if s := &k.seats[i]; !math.IsNaN(s.alive) {
			at := min(9, int(s.alive*10))
			tenths[at] = append(tenths[at], s)
		}
	}
	return tenths
}

func shareOf(seats []*seat, holds func(*seat) bool) float64 {
	n := 0
	for _, s := range seats {
		if holds(s) {
			n++
		}
	}
	return float64(n) / float64(len(seats))
}

func meanOf(seats []*seat, of func(*seat) float64) float64 {
	sum := 0.0
	for _, s := range seats {
		sum += of(s)
	}
	return sum / float64(len(seats))
}

// brier is the mean squared distance of a prediction from what came.
func brier(seats []*seat, predicted func(*seat) float64, came func(*seat) bool) float64 {
	return meanOf(seats, func(s *seat) float64 {
		d := predicted(s)
		if came(s) {
			d--
		}
		return d * d
	})
}

// checkAlive holds P(alive) against being in care.
//
// The model knows visits, but neither bookings nor plans that come to their end. Of who has no booking fewer are in care than it thinks,
// since most who are have one: so a tenth may have fewer in care than predicted, never more than sampling allows. Somebody is in a
// tenth at most once a day that was looked at; those of one person may all be alike, so the variance of a tenth's share is at most that
// of a binomial times the number of days. Four such standard errors, and one patient for what rounding and a share of 0 leave out, are
// passed by chance once in 30,000. In the lowest tenth, where nearly all lie who left, the share holds from both sides.
func (k *knowledge) checkAlive(t *testing.T) {
	t.Helper()
	inCare := outcomes[0].of
	var all []*seat
	for i, seats := range k.tenths() {
		all = append(all, seats...)
		if len(seats) == 0 {
			continue
		}
		n := float64(len(seats))
		predicted, is := meanOf(seats, func(s *seat) float64 { return s.alive }), shareOf(seats, inCare)
		bound := 4*math.Sqrt(float64(len(k.days))*predicted*(1-predicted)/n) + 1/n
		if is > predicted+bound || i == 0 && is < predicted-bound {
			t.Errorf("P(alive) of %.3f in the tenth from 0.%d: %.3f of %v are in care, the bound is %.3f", predicted, i, is, n, bound)
		}
	}
	alive := brier(all, func(s *seat) float64 { return s.alive }, inCare)
	if plain := brier(all, (*seat).plain, inCare); alive >= plain {
		t.Errorf("P(alive) has a Brier score of %.4f, the plain rule %.4f: it knows no more", alive, plain)
	}
}

// checkStops holds the share that stops after the first visit, which nobody has finished by then. To the marts a pause that is longer than
// the plain rule is a stop as well: of visits that are not the last 3.5 % are followed by one, nearly all of them so long. Beyond
// that the two shares, of nearly the same people, differ by no more than four standard errors.
func (k *knowledge) checkStops(t *testing.T) {
	t.Helper()
	s := k.stops[1]
	marts, latent := float64(s.stopped)/float64(s.visits), float64(s.dropped+s.gaveUp+s.finished)/float64(s.plans)
	bound := 4 * math.Sqrt(latent*(1-latent)/float64(s.plans))
	if marts < latent-bound || marts > latent+0.035+bound {
		t.Errorf("after the first visit %.3f stop by the marts, %.3f really left, the bound is %.3f", marts, latent, bound)
	}
	if s.finished > 0 {
		t.Errorf("%d have finished with one visit", s.finished)
	}
}

// report prints what was seen as Markdown.
func (k *knowledge) report() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d clinics, %d rows of a patient, discipline and day, days %v.\n\n", k.clinics, len(k.seats), k.days)
	k.reportCalled(&out)
	k.reportLeft(&out)
	k.reportLead(&out)
	k.reportAlive(&out)
	k.reportStops(&out)
	return out.String()
}

// reportCalled tells what is so of those who are called at risk and fallen off.
func (k *knowledge) reportCalled(out *strings.Builder) {
	fmt.Fprint(out, "| called | patients | really in care | dropped off | gave up | found no room | finished | one night only | seen again later |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, status := range []string{"active", "at_risk", "fallen_off"} {
		n, by, again := 0, map[simclinic.Ending]int{}, 0
		for i := range k.seats {
			s := &k.seats[i]
			if s.status != status {
				continue
			}
			n++
			how := s.ending
			if s.there {
				how = simclinic.InCare
			}
			by[how]++
			if s.comes {
				again++
			}
		}
		fmt.Fprintf(out, "| %s | %d |", status, n)
		for _, how := range []simclinic.Ending{simclinic.InCare, simclinic.DroppedOff, simclinic.GaveUp, simclinic.CouldNotBook, simclinic.Finished, simclinic.Aside} {
			fmt.Fprintf(out, " %.1f %% |", 100*float64(by[how])/float64(max(n, 1)))
		}
		fmt.Fprintf(out, " %.1f %% |\n", 100*float64(again)/float64(max(n, 1)))
	}
	fmt.Fprintln(out)
}

// reportLeft tells what those are called who left without finishing, and those who are in care, by days since their last visit.
func (k *knowledge) reportLeft(out *strings.Builder) {
	fmt.Fprint(out, "| days since the last visit | left without finishing | called active | at_risk | fallen_off | in care | called active | at_risk | fallen_off |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, band := range [][2]int{{0, 14}, {15, 28}, {29, 41}, {42, 60}, {61, 90}, {91, 180}, {181, math.MaxInt32}} {
		label := fmt.Sprintf("%d–%d", band[0], band[1])
		if band[1] == math.MaxInt32 {
			label = "more"
		}
		fmt.Fprintf(out, "| %s |", label)
		for _, there := range []bool{false, true} {
			n, by := 0, map[string]int{}
			for i := range k.seats {
				if s := &k.seats[i]; s.there == there && (there || silent(s.ending)) && s.shown >= band[0] && s.shown <= band[1] {
					n++
					by[s.status]++
				}
			}
			fmt.Fprintf(out, " %d |", n)
			for _, status := range []string{"active", "at_risk", "fallen_off"} {
				if n == 0 {
					fmt.Fprint(out, " |")
				} else {
					fmt.Fprintf(out, " %.1f %% |", 100*float64(by[status])/float64(n))
				}
			}
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
}

// reportLead tells how many days after the last visit of somebody who left without finishing the status says so. It follows from the
// usual gap, and each status that was read was checked against it.
func (k *knowledge) reportLead(out *strings.Builder) {
	var risks, falls []int
	later, earlier := 0, 0
	known := map[string]bool{}
	for i := range k.seats {
		s := &k.seats[i]
		if s.there || s.booked || !silent(s.ending) || known[s.who] {
			continue
		}
		known[s.who] = true
		risk, fall := s.limits()
		risks, falls = append(risks, risk), append(falls, fall)
		if fall > plainDays+1 {
			later++
		}
		if risk < plainDays+1 {
			earlier++
		}
	}
	slices.Sort(risks)
	slices.Sort(falls)
	quantile := func(days []int, q float64) int { return days[int(q*float64(len(days)-1))] }
	fmt.Fprintf(out, "Of %d who left without finishing:\n\n| days from the last visit to | 10 %% | half | 90 %% |\n|---|---|---|---|\n", len(risks))
	if len(risks) > 0 {
		fmt.Fprintf(out, "| at_risk | %d | %d | %d |\n| fallen_off | %d | %d | %d |\n", quantile(risks, 0.1), quantile(risks, 0.5), quantile(risks, 0.9), quantile(falls, 0.1), quantile(falls, 0.5), quantile(falls, 0.9))
		fmt.Fprintf(out, "| the plain rule, more than %d days | %d | %d | %d |\n\n", plainDays, plainDays+1, plainDays+1, plainDays+1)
		n := float64(len(risks))
		fmt.Fprintf(out, "at_risk is before the plain rule for %.1f %%, fallen_off after it for %.1f %%.\n", 100*float64(earlier)/n, 100*float64(later)/n)
	}
	fmt.Fprintln(out)
}

// reportAlive tells how P(alive) compares with being in care and with being seen again.
func (k *knowledge) reportAlive(out *strings.Builder) {
	fmt.Fprint(out, "| P(alive) | patients | of them booked | predicted | in care | seen again | without a booking: predicted | in care |\n|---|---|---|---|---|---|---|---|\n")
	var all, unbooked []*seat
	score := func(s *seat) float64 { return s.alive }
	for i, seats := range k.tenths() {
		all = append(all, seats...)
		if len(seats) == 0 {
			continue
		}
		var free []*seat
		for _, s := range seats {
			if !s.booked {
				free = append(free, s)
			}
		}
		unbooked = append(unbooked, free...)
		fmt.Fprintf(out, "| %.1f–%.1f | %d | %d | %.3f | %.3f | %.3f | %.3f | %.3f |\n", float64(i)/10, float64(i+1)/10, len(seats), len(seats)-len(free), meanOf(seats, score),
			shareOf(seats, outcomes[0].of), shareOf(seats, outcomes[1].of), meanOf(free, score), shareOf(free, outcomes[0].of))
	}
	fmt.Fprint(out, "\n| Brier score against | P(alive) | plain rule | the mean alone |\n|---|---|---|---|\n")
	for _, among := range []struct {
		name  string
		seats []*seat
	}{{"all", all}, {"without a booking", unbooked}} {
		for _, o := range outcomes {
			base := shareOf(among.seats, o.of)
			fmt.Fprintf(out, "| %s, %s | %.4f | %.4f | %.4f |\n", o.name, among.name, brier(among.seats, score, o.of), brier(among.seats, (*seat).plain, o.of), base*(1-base))
		}
	}
	fmt.Fprintln(out)
}

// reportStops sets the marts' curve by visit number beside what people did.
func (k *knowledge) reportStops(out *strings.Builder) {
	fmt.Fprint(out, "| after visit | marts: visits | stop | Kaplan–Meier | really: plans | dropped off | gave up | finished | not left |\n|---|---|---|---|---|---|---|---|---|\n")
	share := func(a, b int64) float64 { return float64(a) / float64(cmp.Or(b, 1)) }
	survival, stays := 1.0, 1.0
	for n := 1; n <= 10; n++ {
		s := &k.stops[n]
		survival *= 1 - share(s.events, s.atRisk)
		stays *= 1 - share(s.dropped+s.gaveUp+s.finished, s.plans)
		fmt.Fprintf(out, "| %d | %d | %.1f %% | %.3f | %d | %.1f %% | %.1f %% | %.1f %% | %.3f |\n", n, s.visits, 100*share(s.stopped, s.visits), survival, s.plans,
			100*share(s.dropped, s.plans), 100*share(s.gaveUp, s.plans), 100*share(s.finished, s.plans), stays)
	}
}
