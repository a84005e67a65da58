package simclinic

// fillIdleTime enters what belongs to no patient: breaks, and slots that nobody booked.
func (w *world) fillIdleTime() {
	r := newLuck(w.dials.Seed, streamIdle)
	last := w.today + 28
	for staff := range w.premises.staff {
		p := &w.premises.staff[staff]
		for d := w.from; d <= last; d++ {
			place, working := p.shiftOn(d)
			if !working {
				continue
			}
			if p.lunch > 0 {
				w.enterIdle(d, p.lunch, lunchMinutes, staff, place, none, booked)
			}
			if r.chance(0.06) {
				item := w.premises.itemNamed(w.premises.specialities[p.discipline].usual.name)
				length := w.premises.items[item].minutes
				minute, _, ok := w.schedule.find(staff, d, 0, p.open+quarter*r.between(0, 24), length)
				if ok {
					w.schedule.take(staff, d, minute, length)
					w.enterIdle(d, minute, length, staff, place, item, neverBooked)
				}
			}
		}
	}
}

func (w *world) enterIdle(d day, minute, length, staff, place, item int, as state) {
	start := w.calendar.at(d, minute)
	w.appointments = append(w.appointments, appointment{
		start: start, end: start.plus(length), person: none, group: none, item: int16(item), staff: int16(staff),
		place: int8(place), reason: none, state: as,
	})
}
