package simclinic

import (
	"cmp"
	"slices"
	"strings"
)

var appointmentHeaders = []string{
	"id", "location_name", "start_at", "end_at", "patient_guid", "patient_number", "patient_first_name",
	"patient_preferred_name", "patient_last_name", "treatment_name", "staff_member_name", "state", "first_visit",
	"chart_status", "booked_at", "arrived_at", "booked_online", "cancelled_at", "cancelled_reason", "notes_text",
	"insurance_state",
}

const breakName = "Break"

// orderByStart is the order of the appointments report.
func (w *world) orderByStart() []int32 {
	order := places(len(w.appointments))
	slices.SortFunc(order, func(i, j int32) int {
		a, b := &w.appointments[i], &w.appointments[j]
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id))
	})
	return order
}

// between cuts out of appointments in order of start those of a range of days.
func (w *world) between(byStart []int32, first, last day) []int32 {
	find := func(m moment) int {
		at, _ := slices.BinarySearchFunc(byStart, m, func(i int32, m moment) int { return cmp.Compare(w.appointments[i].start, m) })
		return at
	}
	return byStart[find(w.calendar.lastOf(first-1)+1):find(w.calendar.lastOf(last)+1)]
}

func (w *world) listAppointments(byStart []int32, first, last day, extra bool, yield func([]Cell) error) error {
	row := make([]Cell, 0, len(appointmentHeaders)+1)
	for _, i := range w.between(byStart, first, last) {
		a := &w.appointments[i]
		row = append(row[:0], number(a.id), text(w.premises.places[a.place]), stamp(a.start), stamp(a.end))
		row = w.appendPeople(row, a)
		treatment := breakName
		if a.item != none {
			treatment = w.premises.items[a.item].name
		}
		row = append(row,
			text(treatment), text(w.premises.staff[a.staff].name), spelled(stateNames[a.state], a.id), flag(a.firstVisit),
			text(chartStatus(a)), stamp(a.booked), stamp(a.arrived), flag(a.online), stamp(a.cancelled),
			text(w.reasonText(i)), text(w.noteText(i)), text(w.insuranceState(a)),
		)
		if extra {
			row = append(row, w.phoneCell(a.person))
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// appendPeople adds guid, number and names of everybody in the row: none, one, or the people of a class.
func (w *world) appendPeople(row []Cell, a *appointment) []Cell {
	switch {
	case a.group != none:
		var columns [5][]string
		for _, id := range w.groups[a.group].people {
			p := &w.people[id]
			for i, value := range [5]string{p.guid, itoa(int(id) + 1), p.first, p.nick, p.last} {
				columns[i] = append(columns[i], value)
			}
		}
		for _, values := range columns {
			row = append(row, text(strings.Join(values, "; ")))
		}
		return row
	case a.person == none:
		return append(row, Cell{}, Cell{}, Cell{}, Cell{}, Cell{})
	default:
		p := &w.people[a.person]
		return append(row, text(p.guid), number(int64(a.person)+1), text(p.first), text(p.nick), text(p.last))
	}
}

func (w *world) phoneCell(person int32) Cell {
	if person == none {
		return Cell{}
	}
	return text(w.tokens.phone(w.areaCode(), int(person)))
}

func chartStatus(a *appointment) string {
	switch {
	case a.state != arrived:
		return ""
	case a.id%7 == 0:
		return "unsigned"
	default:
		return "signed"
	}
}

func (w *world) insuranceState(a *appointment) string {
	switch {
	case a.person == none:
		return ""
	case w.people[a.person].insurer[0] == none:
		return "none"
	case a.state == arrived:
		return "billed"
	default:
		return "on_file"
	}
}
