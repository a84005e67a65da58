package simclinic

// nightSlot is a visit around the moment at which the zone's clocks change: in the hour that autumn doubles, or across
// the hour that spring drops.
type nightSlot struct {
	start    moment
	offset   int // minutes from the change
	places   int // how many practitioners still take somebody
	staffing map[int]bool
}

// nightStarts are minutes from the change. nightShift is how long before and after it the staff are there.
var nightStarts = []int{-90, -45, -15, 15, 60}

const (
	nightShift  = 120
	nightPlaces = 3
)

// planNights opens the clinic in the nights in which clocks change.
func (w *world) planNights() {
	for _, change := range w.calendar.transitions(w.from+30, w.today) {
		for _, offset := range nightStarts {
			w.nights = append(w.nights, nightSlot{change.plus(offset), offset, nightPlaces, map[int]bool{}})
		}
	}
}

// spendNight gives somebody who knows the clinic a visit in such a night, in the discipline they first came for.
func (l *life) spendNight() {
	w := l.w
	if l.prompt == never || l.person.cover != selfPay && l.person.cover != shared || !l.chance(0.7) {
		return
	}
	staff := l.staff[l.primary]
	what := w.premises.itemNamed(w.premises.specialities[l.primary].short.name)
	for i := range w.nights {
		slot := &w.nights[i]
		on := w.calendar.dayOf(slot.start)
		end := slot.start.plus(w.premises.items[what].minutes)
		if slot.places == 0 || slot.staffing[staff] || on <= l.prompt+1 || l.isBooked(on) {
			continue
		}
		// A clock that is put back must not show the end before the start: people would not know what they booked.
		startDay, startsAt := w.calendar.wall(slot.start)
		if endDay, endsAt := w.calendar.wall(end); startDay == endDay && endsAt <= startsAt {
			continue
		}
		slot.places--
		slot.staffing[staff] = true
		l.taken = append(l.taken, on)
		place := w.premises.staff[staff].place[1]
		a := l.enter(appointment{
			start: slot.start, end: end, booked: w.calendar.at(on-1, 12*60), person: l.id, group: none,
			item: int16(what), staff: int16(staff), place: place, reason: none,
		})
		l.setOut(l.primary, l.w.appointments[a].booked)
		if l.chance(0.1) {
			// Called off well before: an hour more or less decides nothing.
			it := &w.appointments[a]
			it.booked = w.calendar.at(on-8, 12*60)
			it.state, it.cancelled = cancelled, w.calendar.at(on-5, 12*60)
			l.giveReason(it)
			l.leave(Aside, on-5)
			l.w.ways[len(l.w.ways)-1].begun = on - 8
			return
		}
		l.keep(on)
		l.leave(Aside, on)
		l.come(a, false)
		return
	}
}
