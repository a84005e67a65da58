package simclinic

import "slices"

// life is one person's way through the clinic, as it is being lived.
type life struct {
	luck
	w      *world
	id     int32
	person *person
	// staff is the practitioner who sees this person in each discipline, or none.
	staff map[int]int
	// wishTime is the time of day this person likes, in minutes.
	wishTime int
	// taken are the days on which something is booked: nobody is booked twice on one day but on purpose.
	taken []day
	// primary is the discipline this person first came for.
	primary int
	// seen says that a visit has taken place; prompt is the day of the first that was marked at once.
	seen   bool
	prompt day
	// left are the prepaid visits still to use; noticed that the biller knows that the policy pays no more.
	left    int
	noticed bool
	// careful is how much this person keeps to appointments, about 1.
	careful float64
	// onWay says that a plan is being lived; noRoom that the last booking failed for want of a free time.
	onWay, noRoom bool
}

// ending of one booking, as far as it decides what the person does next.
type outcome uint8

const (
	ahead outcome = iota // lies ahead at the report date
	came
	didNotCome
	calledOff
	moved
)

// live lets one person live their history with the clinic.
func (w *world) live(id int32) {
	p := &w.people[id]
	l := &life{
		luck: newLuck(w.dials.Seed, streamPeople+uint64(id)), w: w, id: id, person: p,
		staff: map[int]int{}, prompt: never, seen: p.known,
	}
	l.wishTime = l.between(8*60, 18*60)
	l.careful = 0.6 + 0.8*l.Float64()
	discipline := l.primaryDiscipline()
	l.primary = discipline
	first, again := p.joins, false
	for range 8 {
		last, goesOn := l.followPlan(discipline, first, again)
		if !goesOn || !l.chance(0.5) {
			break
		}
		// After a plan some come back, soon or after half a year and more, some of them for something else.
		again = true
		first = last + l.days(35, 320)
		if l.prompt < first && l.chance(0.3) {
			discipline = l.IntN(len(w.premises.specialities))
		}
	}
	l.spendNight()
}

// primaryDiscipline is what this person comes for; nearly half come for the first of the catalogue.
func (l *life) primaryDiscipline() int {
	n := len(l.w.premises.specialities)
	if n == 1 || l.chance(0.35) {
		return 0
	}
	return l.IntN(n)
}

// followPlan lives one plan of care from a first wish on. It returns the last day something was booked for, and whether
// the person stays with the clinic and the history goes on.
func (l *life) followPlan(discipline int, wish day, again bool) (last day, goesOn bool) {
	w := l.w
	care := w.premises.specialities[discipline]
	visits := l.between(care.fewest, care.most)
	_, isKnown := l.staff[discipline]
	// A first visit in a further discipline is a walk-in, booked and seen on the day.
	walkIn := again && !isKnown
	lo := w.calendar.at(wish-l.days(0, 14), l.between(8*60, 19*60))
	kind := bookAtOnce
	if walkIn {
		kind = bookOnTheDay
	}
	if l.person.known && !again && !l.chance(0.3) {
		visits = l.between(2, visits)
	}
	l.person.discharged = never
	series, seriesMade := 0, moment(0) // visits still to book of those that were booked in one go, and when that was
	misses := 0
	for done := 0; done < visits; {
		a, ok := l.book(discipline, wish, lo, kind, done == 0 && !isKnown && !l.person.known)
		if !ok {
			l.stuck(lo)
			return last, false
		}
		if !l.onWay {
			l.setOut(discipline, w.appointments[a].booked)
		}
		last = w.serviceDay(a)
		how, at := l.course(a, walkIn)
		kind = bookAtOnce
		switch how {
		case ahead:
			l.lookAhead(last)
			if series == 0 {
				l.leave(InCare, never)
				return last, false
			}
			wish = last + l.cadence(care, done)
		case came:
			done++
			l.keep(last)
			walkIn = false
			if done == 1 {
				l.maybeJoinClass(discipline, last)
			}
			if l.dropsOff(done) {
				l.leave(DroppedOff, last)
				return last, l.chance(0.4)
			}
			wish = last + l.cadence(care, done)
			if l.chance(0.035) {
				wish += l.days(40, 130) // a pause
			}
			lo = at
			if l.chance(0.35) {
				kind = bookLater
			} else if series == 0 && l.chance(0.3) {
				// Some book the next few visits in one go.
				series, seriesMade = l.between(2, 4), at
			}
		case moved:
			lo = at
			wish = max(w.calendar.dayOf(at)+1, last+l.days(-3, 7))
		default:
			misses++
			if walkIn || misses > 3 || l.chance(0.25) {
				l.leave(GaveUp, w.calendar.dayOf(at))
				return last, l.chance(0.4)
			}
			lo = at
			wish = max(last, w.calendar.dayOf(at)) + l.days(1, 9)
			kind = bookLater
		}
		if series > 0 && how != moved {
			series--
			lo, kind = seriesMade, bookAtOnce
		}
	}
	l.leave(Finished, last)
	l.dischargeAfterPlan(last)
	return last, true
}

func (l *life) dropsOff(visits int) bool {
	if visits == 1 {
		return l.chance(0.12)
	}
	return l.chance(0.055)
}

// cadence is the days to the next visit after `done` visits, with some unrest.
func (l *life) cadence(care speciality, done int) day {
	days := care.cadence[min(max(done-1, 0), len(care.cadence)-1)]
	unrest := max(1, days/5)
	return day(max(1, days+l.between(-unrest, unrest)))
}

// bookingKind is when a visit is booked relative to when it could be.
type bookingKind uint8

const (
	bookAtOnce   bookingKind = iota
	bookLater                // some time between then and the visit
	bookOnTheDay             // shortly before the visit
)

// book makes a booking on or after a wished day. lo is the earliest moment at which the booking can be made. It fails
// where there is no room for two weeks, past the horizon, or where the booking would be made after the report date.
func (l *life) book(discipline int, wish day, lo moment, kind bookingKind, first bool) (int32, bool) {
	w := l.w
	what := l.itemFor(discipline, first)
	length := w.premises.items[what].minutes
	wish = max(wish, w.from)
	l.noRoom = false
	for d := wish; d < wish+15 && d <= w.horizon; d++ {
		if l.isBooked(d) {
			continue
		}
		earliest := 0
		if loDay := w.calendar.dayOf(lo); loDay > d {
			continue
		} else if loDay == d {
			_, seconds := w.calendar.wall(lo)
			earliest = seconds/60 + 30
		}
		staff, minute, place, ok := l.slot(discipline, d, earliest, length)
		if !ok {
			continue
		}
		start := w.calendar.at(d, minute)
		if w.calendar.dayOf(start) != d {
			continue // a day that a zone once left out
		}
		made := lo
		switch kind {
		case bookLater:
			made = w.momentIn(l.luck, lo, start-10*60)
		case bookOnTheDay:
			made = start.plus(-l.between(12, 70))
		}
		if !w.happened(made) {
			return none, false
		}
		w.schedule.take(staff, d, minute, length)
		l.staff[discipline] = staff
		l.taken = append(l.taken, d)
		a := l.enter(appointment{
			start: start, end: start.plus(length), booked: made, person: l.id, group: none,
			item: int16(what), staff: int16(staff), place: int8(place), reason: none,
		})
		if l.chance(0.025) {
			l.enterByMistake(a)
		}
		return a, true
	}
	l.noRoom = wish+15 <= w.horizon && w.happened(lo)
	return none, false
}

// enter writes an appointment into the schedule.
func (l *life) enter(a appointment) int32 {
	a.firstVisit = !l.seen
	a.online = l.chance(0.25)
	a.hasNote = l.chance(0.12)
	l.w.appointments = append(l.w.appointments, a)
	return int32(len(l.w.appointments) - 1)
}

// enterByMistake books the same again and deletes it: an archived row.
func (l *life) enterByMistake(a int32) {
	copied := l.w.appointments[a]
	copied.state = archived
	copied.booked -= 60
	l.enter(copied)
}

func (l *life) isBooked(d day) bool {
	for _, v := range slices.Backward(l.taken) {
		if v == d {
			return true
		}
	}
	return false
}

// itemFor is what a visit is booked as.
func (l *life) itemFor(discipline int, first bool) int {
	care := l.w.premises.specialities[discipline]
	switch {
	case first:
		return l.w.premises.itemNamed(care.first.name)
	case l.chance(0.1):
		return l.w.premises.itemNamed(care.short.name)
	default:
		return l.w.premises.itemNamed(care.usual.name)
	}
}

// slot finds a time on a day: with the person's own practitioner, now and then with a colleague.
func (l *life) slot(discipline int, d day, earliest, length int) (staff, minute, place int, ok bool) {
	colleagues := l.w.schedule.byDiscipline[discipline]
	own, has := l.staff[discipline]
	if !has {
		own = colleagues[l.IntN(len(colleagues))]
	}
	wish := l.wishTime + quarter*l.between(-6, 6)
	if minute, place, ok = l.w.schedule.find(own, d, earliest, wish, length); ok {
		return own, minute, place, true
	}
	if has && !l.chance(0.15) {
		return 0, 0, 0, false
	}
	other := colleagues[l.IntN(len(colleagues))]
	minute, place, ok = l.w.schedule.find(other, d, earliest, wish, length)
	return other, minute, place, ok
}
