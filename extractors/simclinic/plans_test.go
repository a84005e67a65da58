package simclinic

import (
	"math"
	"slices"
	"testing"

	"cloud.google.com/go/civil"
)

// TestPlansAgreeWithTheSchedule holds the plans, which no report prints, against the schedule, which does not know them: every visit
// and every booking ahead belongs to a plan, and nobody comes after they left.
func TestPlansAgreeWithTheSchedule(t *testing.T) {
	endings, back := map[Ending]int{}, map[bool]int{}
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
			back[!p.Back.IsZero()]++
			if gone := !p.Left.IsZero(); gone == (p.Ending == InCare) || gone && p.Left.After(c.ReportDate()) {
				t.Errorf("seed %d: %s, left %v", seed, p.Ending, p.Left)
			}
			last := p.Begun
			for i, v := range p.Visits {
				if v.On.Before(last) || i > 0 && v.On == last || !p.Left.IsZero() && v.On.After(p.Left) || !v.Shown.IsZero() && v.Shown.Before(v.On) {
					t.Errorf("seed %d: begun %v, left %v, visits %v", seed, p.Begun, p.Left, p.Visits)
				}
				last = v.On
			}
			if p.Ending == Finished && len(p.Visits)-p.Classes < 2 {
				t.Errorf("seed %d: finished after %v, %d of them classes", seed, p.Visits, p.Classes)
			}
			if !p.Back.IsZero() && !p.Back.After(p.Begun) {
				t.Errorf("seed %d: began on %v and came again on %v", seed, p.Begun, p.Back)
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
			if on := e.on.date(); e.knownFrom != never && !anyPlan(plans[key], func(p *Plan) bool { return isVisit(p, on) }) {
				t.Errorf("seed %d: a visit on %v in no plan: %+v", seed, on, plans[key])
			}
		}
	}
	for _, how := range []Ending{Finished, DroppedOff, GaveUp, CouldNotBook, InCare, Aside} {
		if endings[how] < 5 {
			t.Errorf("%d plans ended as %s: too few to tell anything", endings[how], how)
		}
	}
	if back[true] < 50 {
		t.Errorf("only %d came back", back[true])
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

func isVisit(p *Plan, on civil.Date) bool {
	return slices.ContainsFunc(p.Visits, func(v Visit) bool { return v.On == on && !v.Shown.IsZero() })
}

// TestPlansEndAsOftenAsTheyShould: who drops off after a visit is a throw of its own for each visit, 12 % after the first and 5.5 %
// after a later one. Of n throws the share lies within four standard errors but for one time in 16,000.
func TestPlansEndAsOftenAsTheyShould(t *testing.T) {
	var visits, drops [2]int
	for seed := uint64(1); seed <= 4; seed++ {
		d := DefaultDials()
		d.Seed = seed
		for _, p := range mustClinic(t, d).world.ways {
			if p.ending == Aside || len(p.visits) == 0 {
				continue
			}
			visits[0]++
			visits[1] += len(p.visits) - 1
			if p.ending == DroppedOff {
				drops[min(len(p.visits)-1, 1)]++
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
