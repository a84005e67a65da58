package simclinic

import (
	"math"
	"testing"

	"cloud.google.com/go/civil"
)

// TestPlansAgreeWithTheSchedule holds the plans, which no report prints, against the schedule, which does not know them: every visit
// and every booking ahead belongs to a plan, and nobody comes after they left.
func TestPlansAgreeWithTheSchedule(t *testing.T) {
	endings, came := map[Ending]int{}, map[bool]int{}
	for seed := uint64(1); seed <= 6; seed++ {
		d := DefaultDials()
		d.Seed, d.Patients = seed, 200
		if seed == 6 {
			d.Patients, d.Practitioners = 900, 3 // so few that some find no room
		}
		c := mustClinic(t, d)
		w := c.world
		plans := map[[2]string][]Plan{}
		for _, p := range c.Plans() {
			key := [2]string{p.Patient, p.Discipline}
			plans[key] = append(plans[key], p)
			endings[p.Ending]++
			came[!p.Back.IsZero()]++
			if p.First.IsZero() != p.Last.IsZero() || p.Last.Before(p.First) || !p.First.IsZero() && p.First.Before(p.Begun) {
				t.Errorf("seed %d: a plan begins on %v, its visits are from %v to %v", seed, p.Begun, p.First, p.Last)
			}
			if gone := !p.Left.IsZero(); gone == (p.Ending == InCare) || gone && (p.Left.After(c.ReportDate()) || p.Last.After(p.Left)) {
				t.Errorf("seed %d: %s, last visit %v, left %v", seed, p.Ending, p.Last, p.Left)
			}
			if !p.Back.IsZero() && !p.Back.After(p.First) {
				t.Errorf("seed %d: came first on %v and again on %v", seed, p.First, p.Back)
			}
		}
		for _, e := range w.encounters() {
			key := [2]string{w.people[e.person].guid, w.premises.specialities[e.discipline].name}
			if e.on > w.today {
				if e.calledOff == never && !anyPlan(plans[key], func(p *Plan) bool { return p.There(c.ReportDate()) }) {
					t.Errorf("seed %d: a booking on %v, and nobody is in care: %+v", seed, e.on.date(), plans[key])
				}
				continue
			}
			if on := e.on.date(); e.knownFrom != never && !anyPlan(plans[key], func(p *Plan) bool { return spans(p, on) }) {
				t.Errorf("seed %d: a visit on %v in no plan: %+v", seed, on, plans[key])
			}
		}
	}
	for _, how := range []Ending{Finished, DroppedOff, GaveUp, CouldNotBook, InCare, Aside} {
		if endings[how] < 5 {
			t.Errorf("%d plans ended as %s: too few to tell anything", endings[how], how)
		}
	}
	if came[true] < 50 {
		t.Errorf("only %d came back", came[true])
	}
}

func anyPlan(plans []Plan, holds func(*Plan) bool) bool {
	for i := range plans {
		if holds(&plans[i]) {
			return true
		}
	}
	return false
}

func spans(p *Plan, on civil.Date) bool {
	return !p.First.IsZero() && !on.Before(p.First) && !on.After(p.Last)
}

// TestPlansEndAsOftenAsTheyShould: who drops off after a visit is a throw of its own for each visit, 12 % after the first and 5.5 %
// after a later one. Of n throws the share lies within four standard errors but for one time in 16,000.
func TestPlansEndAsOftenAsTheyShould(t *testing.T) {
	var visits, drops [2]int
	for seed := uint64(1); seed <= 4; seed++ {
		d := DefaultDials()
		d.Seed = seed
		for _, p := range mustClinic(t, d).world.ways {
			if p.ending == Aside || p.visits == 0 {
				continue
			}
			visits[0]++
			visits[1] += p.visits - 1
			if p.ending == DroppedOff {
				drops[min(p.visits-1, 1)]++
			}
		}
	}
	for i, odds := range [2]float64{0.12, 0.055} {
		n := float64(visits[i])
		if share := float64(drops[i]) / n; math.Abs(share-odds) > 4*math.Sqrt(odds*(1-odds)/n) {
			t.Errorf("of %d visits %d were the last, want %v of them", visits[i], drops[i], odds)
		}
	}
}
