package simclinic

import (
	"cmp"
	"slices"

	"cloud.google.com/go/civil"
)

// Ending is how a plan of care ended. No report prints it: it is what people meant to do.
type Ending string

// The endings of a plan of care.
const (
	// Finished is who came as often as was planned.
	Finished Ending = "finished"
	// DroppedOff is who came, left, and did not tell anybody.
	DroppedOff Ending = "dropped_off"
	// GaveUp is who called off or stayed away, and did not book again.
	GaveUp Ending = "gave_up"
	// CouldNotBook is who wanted to come again, and found no room for two weeks.
	CouldNotBook Ending = "could_not_book"
	// InCare is who goes on where the history ends.
	InCare Ending = "in_care"
	// Aside is a single visit outside of any plan, in a night in which clocks changed.
	Aside Ending = "aside"
)

// Plan is one person's care in one discipline from the first booking to the end, as they lived it: whether the desk closed their
// visits or not, and with the classes that they joined.
type Plan struct {
	Patient    string // portal guid
	Discipline string
	// Begun is the day on which the first visit was booked.
	Begun civil.Date
	// Visits are what they came to, classes among them, one a day, in order.
	Visits []Visit
	// Classes counts those that were classes alone, which no plan knows of.
	Classes int
	// Known is the care of who was a patient before the history began: it may have begun before too.
	Known  bool
	Ending Ending
	// Left is the day at whose end they were there no more; zero where they are in care at the report date.
	Left civil.Date
	// Back is the day on which they next came in the discipline for something else, zero where they did not by the report date.
	Back civil.Date
}

// Visit is a day on which somebody came.
type Visit struct {
	On civil.Date
	// Shown is the day from which the schedule shows that they came, zero where the desk never marked it.
	Shown civil.Date
}

// There says whether somebody is in care at the end of a day.
func (p *Plan) There(on civil.Date) bool {
	return !p.Begun.After(on) && (p.Left.IsZero() || p.Left.After(on))
}

// Plans lists the plans of care of everybody who booked, by guid, discipline and the day on which each began.
func (c *Clinic) Plans() []Plan {
	w := c.world
	kept, shown := w.keptClasses(), w.shownVisits()
	plans := make([]Plan, 0, len(w.ways))
	for i := range w.ways {
		way := &w.ways[i]
		p := Plan{
			Patient: w.people[way.person].guid, Discipline: w.premises.specialities[way.discipline].name, Begun: way.begun.date(),
			Ending: way.ending, Known: w.people[way.person].known,
		}
		days := slices.Concat(way.visits, kept[int32(i)])
		slices.Sort(days)
		for _, on := range slices.Compact(days) {
			v := Visit{On: on.date()}
			if from, known := shown[seatOn{way.person, way.discipline, on}]; known {
				v.Shown = from.date()
			}
			p.Visits = append(p.Visits, v)
		}
		p.Classes = len(p.Visits) - len(way.visits)
		if left := max(way.left, way.classesUntil); left <= w.today {
			p.Left = left.date()
		} else {
			p.Ending = InCare
		}
		plans = append(plans, p)
	}
	slices.SortStableFunc(plans, func(a, b Plan) int {
		return cmp.Or(cmp.Compare(a.Patient, b.Patient), cmp.Compare(a.Discipline, b.Discipline), a.Begun.Compare(b.Begun))
	})
	for i := range plans {
		for j := i + 1; j < len(plans) && plans[j].Patient == plans[i].Patient && plans[j].Discipline == plans[i].Discipline; j++ {
			if next := &plans[j]; len(next.Visits) > 0 && next.Ending != Aside {
				plans[i].Back = next.Visits[0].On
				break
			}
		}
	}
	return plans
}

// seatOn is one person in one discipline on one day.
type seatOn struct {
	person     int32
	discipline int16
	on         day
}

// shownVisits are the days from which the schedule shows each visit.
func (w *world) shownVisits() map[seatOn]day {
	shown := map[seatOn]day{}
	for _, e := range w.encounters() {
		if e.knownFrom == never {
			continue
		}
		at := seatOn{e.person, e.discipline, e.on}
		if from, known := shown[at]; !known || e.knownFrom < from {
			shown[at] = e.knownFrom
		}
	}
	return shown
}

// longAgo is a day that was before all others.
const longAgo = -never

// way is one plan of care while it is being lived.
type way struct {
	person     int32
	discipline int16
	// visits are days on which they came, classes apart; left is the day at whose end they had gone.
	visits      []day
	begun, left day
	// classesUntil is the day of the last class they joined, ahead that of a booking past the report date.
	classesUntil, ahead day
	ending              Ending
}

// setOut begins a plan with its first booking.
func (l *life) setOut(discipline int, made moment) {
	l.w.ways = append(l.w.ways, way{
		person: l.id, discipline: int16(discipline), begun: l.w.calendar.dayOf(made), left: never,
		classesUntil: longAgo, ahead: longAgo, ending: InCare,
	})
	l.onWay = true
}

// keep notes a visit that somebody came to.
func (l *life) keep(on day) {
	way := &l.w.ways[len(l.w.ways)-1]
	way.visits = append(way.visits, on)
}

// lookAhead notes a booking that lies ahead at the report date.
func (l *life) lookAhead(on day) { l.w.ways[len(l.w.ways)-1].ahead = on }

// leave notes how the plan ended, and when, if it had begun. Nobody has left before the last visit they came to, though they may have
// called off the next one before, nor while one of several that they booked in one go still lies ahead.
func (l *life) leave(how Ending, on day) {
	if !l.onWay {
		return
	}
	l.onWay = false
	way := &l.w.ways[len(l.w.ways)-1]
	way.ending, way.left = how, max(on, way.ahead)
	for _, d := range way.visits {
		way.left = max(way.left, d)
	}
}

// stuck notes why the next visit could not be booked: who would book later than the report shows is in care, else there was no room.
func (l *life) stuck(lo moment) {
	if !l.noRoom {
		l.leave(InCare, never)
		return
	}
	l.leave(CouldNotBook, l.w.calendar.dayOf(lo))
}

// keptClasses are the days of the classes that took place, by the plan in which somebody had joined them.
func (w *world) keptClasses() map[int32][]day {
	byPerson := map[int32][]int32{}
	for i := range w.ways {
		if w.ways[i].classesUntil != longAgo {
			byPerson[w.ways[i].person] = append(byPerson[w.ways[i].person], int32(i))
		}
	}
	kept := map[int32][]day{}
	for i := range w.appointments {
		a := &w.appointments[i]
		on := w.calendar.dayOf(a.start)
		if a.group == none || a.state == cancelled || on > w.today {
			continue
		}
		for _, person := range w.groups[a.group].people {
			// A class belongs to the first plan whose classes go on so long.
			for _, place := range byPerson[person] {
				if on <= w.ways[place].classesUntil {
					kept[place] = append(kept[place], on)
					break
				}
			}
		}
	}
	return kept
}
