package simclinic

import "time"

// classSeries is a weekly class: several people on one row of the schedule.
type classSeries struct {
	staff, place int
	weekday      time.Weekday
	minute       int
	// sessions are by week of the history; those without people never make it into the schedule.
	sessions []classSession
}

type classSession struct {
	day    day
	held   bool // the practitioner works that day
	people []int32
}

const (
	classRoom = 10
	// classOpens is how many days ahead a session is entered into the schedule.
	classOpens       = 45
	oddsJoinsClass   = 0.30
	oddsClassSkipped = 0.12
	oddsClassOff     = 0.05
	oddsClassOpen    = 0.06 // not closed by the desk
)

// planClasses blocks the time of the classes before anybody books.
func (w *world) planClasses() {
	r := newLuck(w.dials.Seed, streamClasses)
	teachers := w.schedule.byDiscipline[0]
	for i := range 1 + len(w.people)/500 {
		s := classSeries{staff: teachers[i%len(teachers)]}
		p := &w.premises.staff[s.staff]
		length := w.premises.items[w.premises.classItem].minutes
		s.weekday = time.Weekday(r.between(1, 5))
		for !p.works[s.weekday] {
			s.weekday = s.weekday%5 + 1
		}
		s.place = int(p.place[s.weekday])
		s.minute = p.shut - length - 60*r.IntN(2)
		for d := w.from; d <= w.horizon; d++ {
			if d.weekday() != s.weekday {
				continue
			}
			_, working := p.shiftOn(d)
			held := working && w.schedule.free(s.staff, d, s.minute, length) && w.calendar.dayOf(w.calendar.at(d, s.minute)) == d
			if held {
				w.schedule.take(s.staff, d, s.minute, length)
			}
			s.sessions = append(s.sessions, classSession{day: d, held: held})
		}
		w.series = append(w.series, s)
	}
}

// maybeJoinClass enrols somebody who has come for the first discipline in some weeks of a class. Only those whose first
// discipline it was: a class is entered into the schedule before its people are, so that others would seem to have been
// booked ahead in a discipline in which they had never been seen.
func (l *life) maybeJoinClass(discipline int, after day) {
	if discipline != 0 || l.primary != 0 || l.prompt > after || !l.chance(oddsJoinsClass) {
		return
	}
	s := &l.w.series[int(l.id)%len(l.w.series)]
	weeks := l.between(4, 10)
	for i := range s.sessions {
		session := &s.sessions[i]
		if session.day <= after || weeks == 0 {
			continue
		}
		weeks--
		if session.held && len(session.people) < classRoom && !l.chance(oddsClassSkipped) {
			session.people = append(session.people, l.id)
			way := &l.w.ways[len(l.w.ways)-1]
			way.classesUntil = max(way.classesUntil, session.day)
		}
	}
}

// holdClasses lets the classes take place. Each person in a class is charged apart.
func (w *world) holdClasses() {
	r := newLuck(w.dials.Seed, streamClasses+streamPeople/2)
	length := w.premises.items[w.premises.classItem].minutes
	for i := range w.series {
		s := &w.series[i]
		for _, session := range s.sessions {
			opened := w.calendar.at(session.day-classOpens, 9*60)
			if len(session.people) == 0 || !w.happened(opened) {
				continue
			}
			start := w.calendar.at(session.day, s.minute)
			w.groups = append(w.groups, group{people: session.people})
			w.appointments = append(w.appointments, appointment{
				start: start, end: start.plus(length), booked: opened, person: none, group: int32(len(w.groups) - 1),
				item: int16(w.premises.classItem), staff: int16(s.staff), place: int8(s.place), reason: none,
				hasNote: r.chance(0.05),
			})
			w.holdClass(r, int32(len(w.appointments)-1), session)
		}
	}
}

func (w *world) holdClass(r luck, a int32, session classSession) {
	it := &w.appointments[a]
	called := w.officeTime(r, session.day-day(r.between(3, 9)))
	switch {
	case r.chance(oddsClassOff):
		if w.happened(called) {
			it.state, it.cancelled, it.reason = cancelled, called, 2
		}
	case session.day > w.today:
	case r.chance(oddsClassOpen):
		w.forgetClosing(a, int64(len(session.people)))
	default:
		it.state, it.arrived = arrived, it.start.plus(-r.between(0, 8))
		for _, id := range session.people {
			l := &life{luck: newLuck(w.dials.Seed, streamPeople+uint64(len(w.people))+uint64(a)), w: w, id: id, person: &w.people[id]}
			l.checkOut(a, session.day)
		}
	}
}
