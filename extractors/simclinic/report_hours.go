package simclinic

var hoursHeaders = []string{
	"Staff Name", "Shift Total Hours", "Break Total Hours", "Appointment Total Hours", "Appointment Total Count",
}

// listHours sums up a range of days for everybody on the staff who had a shift in it.
func (w *world) listHours(byStart []int32, first, last day, extra bool, yield func([]Cell) error) error {
	type sums struct{ shift, pause, busy, count int64 }
	totals := make([]sums, len(w.premises.staff))
	for staff := range w.premises.staff {
		p := &w.premises.staff[staff]
		for d := max(first, w.from); d <= min(last, w.horizon); d++ {
			if _, working := p.shiftOn(d); working {
				totals[staff].shift += int64(p.shut - p.open)
				if p.lunch > 0 {
					totals[staff].pause += lunchMinutes
				}
			}
		}
	}
	for i := range w.nights {
		slot := &w.nights[i]
		if on := w.calendar.dayOf(slot.start); on < first || on > last {
			continue
		}
		for staff := range slot.staffing {
			// Each night's staff is there for the whole night, however many of its slots they fill: count it with the
			// first of them.
			if !w.staffedBefore(i, staff) {
				totals[staff].shift += 2 * nightShift
			}
		}
	}
	for _, i := range w.between(byStart, first, last) {
		a := &w.appointments[i]
		if a.item == none || a.state != booked && a.state != arrived && a.state != missed {
			continue
		}
		totals[a.staff].busy += int64(a.end-a.start) / 60
		totals[a.staff].count++
	}
	row := make([]Cell, 0, len(hoursHeaders)+1)
	for staff, t := range totals {
		if t.shift == 0 {
			continue
		}
		row = append(row[:0],
			text(w.premises.staff[staff].name), minutes(t.shift), minutes(t.pause), minutes(t.busy), number(t.count))
		if extra {
			row = append(row, number(100*t.busy/(t.shift-t.pause)))
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// staffedBefore says that a practitioner already fills an earlier slot of the same night.
func (w *world) staffedBefore(slot, staff int) bool {
	change := w.nights[slot].start.plus(-w.nights[slot].offset)
	for i := slot - 1; i >= 0 && w.nights[i].start.plus(-w.nights[i].offset) == change; i-- {
		if w.nights[i].staffing[staff] {
			return true
		}
	}
	return false
}
