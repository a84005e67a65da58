package simclinic

var unscheduledHeaders = []string{"Patient Guid", "Patient", "Discipline", "Last Visit", "Phone", "E-mail", "Notes"}

// dischargeAfterPlan says whether somebody's practitioner discharges them at the end of a plan of care, and when. It throws no
// dice: most do.
func (l *life) dischargeAfterPlan(last day) {
	if on := last + 1 + day(l.id%4); l.id%5 < 3 && on <= l.w.today {
		l.person.discharged = on
	}
}

// listUnscheduled lists who has been seen by the end of a day, has no booking ahead and was not discharged.
func (w *world) listUnscheduled(asOf day, extra bool, yield func([]Cell) error) error {
	asOf = min(asOf, w.today)
	all := w.encounters()
	row := make([]Cell, 0, len(unscheduledHeaders)+1)
	for first := 0; first < len(all); {
		person, next := all[first].person, first
		ahead := false
		last := map[int16]day{}
		var disciplines []int16
		lastOfAll := -never
		for ; next < len(all) && all[next].person == person; next++ {
			e := &all[next]
			switch {
			case e.on > asOf:
				ahead = ahead || e.bookedOn <= asOf && e.calledOff > asOf
			case e.knownFrom <= asOf:
				if _, known := last[e.discipline]; !known {
					disciplines = append(disciplines, e.discipline)
				}
				last[e.discipline] = e.on
				lastOfAll = max(lastOfAll, e.on)
			}
		}
		first = next
		who := &w.people[person]
		if gone := who.discharged; ahead || gone <= asOf && gone > lastOfAll {
			continue
		}
		for _, discipline := range disciplines {
			var note Cell
			if person%9 == 0 {
				note = text(w.recordText(int(person)))
			}
			row = append(row[:0],
				text(who.guid), text(who.name()), text(w.premises.specialities[discipline].name), onDay(last[discipline]),
				text(w.tokens.phone(w.areaCode(), int(person))), text(w.tokens.email(int(person))), note)
			if extra {
				row = append(row, text(w.tokens.address(int(person))))
			}
			if err := yield(row); err != nil {
				return err
			}
		}
	}
	return nil
}
