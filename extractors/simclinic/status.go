package simclinic

import (
	"cmp"
	"slices"
	"strings"

	"cloud.google.com/go/civil"
)

// PatientState is the status of one patient at the end of one day.
type PatientState struct {
	Patient string // portal guid
	Date    civil.Date
	Status  string // finished, active, at_risk or fallen_off
}

// The limits of the statuses, in days, by the product's definition.
const (
	episodeEnds  = 180 // more days without a visit begin another episode
	activeAtMost = 14
	riskBelow    = 42
	usualGap     = 14 // where a discipline has no gap to go by
	monthEnds    = 9  // how many month-ends before the report date are judged too
)

// encounter is what one appointment tells about one person's status.
type encounter struct {
	person     int32
	discipline int16
	on         day
	// knownFrom is the day from which it counts as a visit, never where it is none. Before that it stands as booked.
	knownFrom day
	// stands is the range of days in which it is a booking ahead: from being booked until called off, never where not.
	bookedOn, calledOff day
}

// encounters lists what people were booked for or came to, by person, discipline and day.
func (w *world) encounters() []encounter {
	var all []encounter
	for i := range w.appointments {
		a := &w.appointments[i]
		if a.item == none || a.state > missed {
			continue
		}
		e := encounter{
			person: a.person, discipline: int16(w.premises.items[a.item].discipline), on: w.serviceDay(int32(i)),
			knownFrom: never, bookedOn: w.calendar.dayOf(a.booked), calledOff: never,
		}
		switch a.state {
		case arrived:
			e.knownFrom = max(e.on, w.calendar.dayOf(a.arrived))
		case cancelled:
			e.calledOff = w.calendar.dayOf(a.cancelled)
		}
		if a.group == none {
			all = append(all, e)
			continue
		}
		for _, person := range w.groups[a.group].people {
			e.person = person
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b encounter) int {
		return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.discipline, b.discipline), cmp.Compare(a.on, b.on))
	})
	return all
}

// states judges every patient at the report date and the month-ends before it.
func (w *world) states() []PatientState {
	all := w.encounters()
	var out []PatientState
	on := w.today
	for range 1 + monthEnds {
		states := w.statesOn(all, on)
		if on == w.today {
			// The list of unscheduled patients is of the report date and has no other dates: on days before it nobody is known
			// to have finished.
			w.finish(all, states)
		}
		out = append(out, states...)
		on = on.monthStart() - 1
	}
	slices.SortFunc(out, func(a, b PatientState) int {
		return cmp.Or(strings.Compare(a.Patient, b.Patient), cmp.Compare(dayOf(a.Date), dayOf(b.Date)))
	})
	return out
}

// finish marks those whom the list of unscheduled patients of today leaves out, though they have been seen and have no booking
// ahead. Of those last seen before the first visit in the list, the list does not speak.
func (w *world) finish(all []encounter, states []PatientState) {
	lastSeen, ahead := map[int32]day{}, map[int32]bool{}
	lastIn := map[[2]int32]day{}
	for _, e := range all {
		switch {
		case e.on > w.today:
			ahead[e.person] = ahead[e.person] || e.bookedOn <= w.today && e.calledOff > w.today
		case e.knownFrom <= w.today:
			in := [2]int32{e.person, int32(e.discipline)}
			lastIn[in] = max(lastIn[in], e.on)
			lastSeen[e.person] = max(lastSeen[e.person], e.on)
		}
	}
	done := map[string]day{}
	reachesBackTo := w.today + 1
	for person, last := range lastSeen {
		if gone := w.people[person].discharged; !ahead[person] && gone <= w.today && gone > last {
			done[w.people[person].guid] = last
		}
	}
	for in, last := range lastIn {
		if _, isDone := done[w.people[in[0]].guid]; !isDone && !ahead[in[0]] {
			reachesBackTo = min(reachesBackTo, last)
		}
	}
	for i := range states {
		if last, isDone := done[states[i].Patient]; isDone && last >= reachesBackTo {
			states[i].Status = "finished"
		}
	}
}

// standing is one person's episode in one discipline at a day.
type standing struct {
	person int32
	last   day
	gaps   []int32 // of the current episode
	ahead  bool
	group  int16
}

func (w *world) statesOn(all []encounter, on day) []PatientState {
	var found []standing
	gaps := make([][]int32, len(w.premises.specialities))
	for i := 0; i < len(all); {
		next := i
		s := standing{person: all[i].person, group: all[i].discipline, last: never}
		for ; next < len(all) && all[next].person == s.person && all[next].discipline == s.group; next++ {
			e := &all[next]
			switch {
			case e.on > on:
				s.ahead = s.ahead || e.bookedOn <= on && e.calledOff > on
			case e.knownFrom <= on && s.last == never:
				s.last = e.on
			case e.knownFrom <= on && e.on > s.last:
				gap := int32(e.on - s.last)
				if gap > episodeEnds {
					s.gaps = nil
				} else {
					s.gaps = append(s.gaps, gap)
					gaps[s.group] = append(gaps[s.group], gap)
				}
				s.last = e.on
			}
		}
		if s.last != never || s.ahead {
			found = append(found, s)
		}
		i = next
	}
	usual := make([]int32, len(gaps))
	for i := range gaps {
		usual[i] = 2 * usualGap
		if len(gaps[i]) > 0 {
			usual[i] = twiceMedian(gaps[i])
		}
	}
	var out []PatientState
	best, came := fallenOff, false
	for i, s := range found {
		twice := usual[s.group]
		if len(s.gaps) > 0 {
			twice = twiceMedian(s.gaps)
		}
		// A booking ahead makes the patient active also where it would be the first visit in its discipline.
		best = min(best, s.status(on, twice))
		came = came || s.last != never
		if i+1 == len(found) || found[i+1].person != s.person {
			if came {
				out = append(out, PatientState{Patient: w.people[s.person].guid, Date: on.date(), Status: engagementNames[best]})
			}
			best, came = fallenOff, false
		}
	}
	return out
}

// engagement is a status, the most engaged first.
type engagement uint8

const (
	active engagement = iota
	atRisk
	fallenOff
)

var engagementNames = [...]string{"active", "at_risk", "fallen_off"}

// status judges an episode whose median gap, doubled, is twice.
func (s *standing) status(on day, twice int32) engagement {
	waited := float64(on - s.last)
	gap := float64(twice) / 2
	switch {
	case s.ahead || waited <= min(episodeEnds, max(activeAtMost, 1.5*gap)):
		return active
	case waited < min(episodeEnds, max(riskBelow, 2*gap)):
		return atRisk
	default:
		return fallenOff
	}
}

// twiceMedian is the median doubled, so that it is an integer. It sorts its argument.
func twiceMedian(gaps []int32) int32 {
	slices.Sort(gaps)
	middle := len(gaps) / 2
	if len(gaps)%2 == 1 {
		return 2 * gaps[middle]
	}
	return gaps[middle-1] + gaps[middle]
}
