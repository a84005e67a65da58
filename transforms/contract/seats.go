package contract

import (
	"cmp"
	"slices"
)

// NumberSeats numbers the seats of each group booking in the order of its patients' pseudonyms, as a report that comes in
// does. Rows of one booking must lie together; their order within it may change.
func NumberSeats(rows []Appointment) {
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && rows[to].AppointmentID == rows[from].AppointmentID {
			to++
		}
		if group := rows[from:to]; len(group) > 1 {
			slices.SortFunc(group, func(a, b Appointment) int { return cmp.Compare(deref(a.Patient), deref(b.Patient)) })
			for seat := range group {
				group[seat].Seat = int32(seat)
			}
		}
		from = to
	}
}
