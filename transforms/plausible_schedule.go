package transforms

import (
	"github.com/falloff-analytics/falloff/transforms/contract"
)

const day = 24 * 60 * 60 * 1e6 // microseconds

func (r *reading) plausibleAppointments(rows []contract.Appointment) {
	type a = contract.Appointment
	doubted(r, rows, []doubt[a]{
		// A retreat lasts days; most appointments do not.
		{"`start_at` and `end_at`", "more than 18 hours lie between them", 50,
			func(*a) bool { return true }, func(x *a) bool { return x.EndsAt-x.StartsAt > day*3/4 }},
		{"`patient_guid`", "nobody arrived, booked or cancelled", 20,
			func(x *a) bool {
				return x.State == contract.Arrived || x.State == contract.Cancelled || x.State == contract.NoShow
			}, func(x *a) bool { return x.Patient == nil }},
		{"`booked_at`", "it was never booked", 90, func(x *a) bool { return x.Patient != nil && len(rows) >= 100 }, func(x *a) bool { return x.BookedAt == nil }},
		{"`arrived_at`", "who arrived did so at no time", 90,
			func(x *a) bool { return x.State == contract.Arrived && len(rows) >= 100 }, func(x *a) bool { return x.ArrivedAt == nil }},
		{"`cancelled_at`", "what was cancelled was so at no time", 90,
			func(x *a) bool { return x.State == contract.Cancelled && len(rows) >= 100 }, func(x *a) bool { return x.CancelledAt == nil }},
		// That somebody did not come can have a reason too.
		{"`cancelled_reason`", "there is a reason and nothing was cancelled", 50,
			func(x *a) bool { return x.CancelledReason != nil && x.State != contract.NoShow },
			func(x *a) bool {
				return x.CancelledAt == nil && (x.State == contract.Arrived || x.State == contract.Booked)
			}},
		{"`arrived_at` and `cancelled_at`", "who arrived has cancelled, and who cancelled has arrived,", 50,
			func(x *a) bool {
				return (x.State == contract.Arrived || x.State == contract.Cancelled) && (x.ArrivedAt == nil) != (x.CancelledAt == nil)
			},
			func(x *a) bool { return (x.State == contract.Arrived) != (x.ArrivedAt != nil) }},
	})
	r.bookedFirst(rows, "`booked_at` and `arrived_at`", "the patient arrived before booking", func(x *a) *int64 { return x.ArrivedAt }, day)
	r.bookedFirst(rows, "`booked_at` and `cancelled_at`", "it was cancelled before it was booked", func(x *a) *int64 { return x.CancelledAt }, 0)
	r.firstVisitsAreOne(rows)
	// Who books two patients for one time does so at one place, so that it begins as many at once. The treatments may differ,
	// where an assistant sees the second; but that is a part of the day.
	here := atOnce(rows, func(x *a) string { return x.StaffMember })
	if here >= 10 && here > 2*atOnce(rows, func(x *a) string { return x.Location }) {
		r.implausible("`staff_member_name` and `location_name`", "somebody begins two appointments at once", here, len(rows))
	}
	if here >= 10 && here > 4*atOnce(rows, func(x *a) string { return x.Treatment }) && here*100 > 15*len(rows) {
		r.implausible("`staff_member_name` and `treatment_name`", "somebody begins two appointments at once", here, len(rows))
	}
	// A class prints the names of all its people in one cell.
	class := map[int64]bool{}
	for i := range rows {
		if rows[i].Seat > 0 {
			class[rows[i].AppointmentID] = true
		}
	}
	of := func(name func(*a) string) texts {
		return r.texted(len(rows), func(i int) (string, string) {
			if class[rows[i].AppointmentID] {
				return name(&rows[i]), ""
			}
			return name(&rows[i]), refOf(rows[i].Patient)
		})
	}
	r.plausibleNames([]nameColumn{
		{"`treatment_name`", of(func(x *a) string { return x.Treatment }), sold, true},
		{"`location_name`", of(func(x *a) string { return x.Location }), place, true},
		{"`staff_member_name`", of(func(x *a) string { return x.StaffMember }), staff, true},
	})
}

// bookedFirst refuses bookings that mostly come after what was booked. A history that was brought along from another program
// was all booked on the few days on which that was done, long after.
func (r *reading) bookedFirst(rows []contract.Appointment, columns, why string, then func(*contract.Appointment) *int64, slack int64) {
	wrong, right := 0, 0
	days := map[int64]bool{}
	for i := range rows {
		x := &rows[i]
		at := then(x)
		switch {
		case x.BookedAt == nil || at == nil:
		case *at < *x.BookedAt-slack:
			wrong++
			days[*x.BookedAt/day] = true
		default:
			right++
		}
	}
	if many(wrong, wrong+right, 10) && len(days) >= 3 && 10*len(days) > wrong {
		r.implausible(columns, why, wrong, wrong+right)
	}
}

// firstVisitsAreOne refuses a column in which patients arrive for the first time again and again. There may be a first visit
// to each practitioner, so only one counts that comes after another to the same.
func (r *reading) firstVisitsAreOne(rows []contract.Appointment) {
	type pair struct{ patient, staff string }
	earliest := map[pair]int64{}
	arrived := func(x *contract.Appointment) bool { return x.State == contract.Arrived && x.Patient != nil }
	for i := range rows {
		if x := &rows[i]; arrived(x) {
			key := pair{*x.Patient, x.StaffMember}
			if at, ok := earliest[key]; !ok || x.StartsAt < at {
				earliest[key] = x.StartsAt
			}
		}
	}
	again, firsts := 0, 0
	for i := range rows {
		if x := &rows[i]; arrived(x) && x.FirstVisit != nil && *x.FirstVisit {
			firsts++
			if x.StartsAt > earliest[pair{*x.Patient, x.StaffMember}] {
				again++
			}
		}
	}
	if again >= 10 && many(again, firsts, 30) {
		r.implausible("`first_visit`", "the patient has been with the same practitioner before", again, firsts)
	}
}

func refOf(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// atOnce counts appointments that begin in the same moment as another of the same name.
func atOnce(rows []contract.Appointment, name func(*contract.Appointment) string) int {
	type start struct {
		name string
		at   int64
	}
	first := map[start]int64{}
	n := 0
	for i := range rows {
		x := &rows[i]
		if x.Patient == nil || x.Seat > 0 || x.State != contract.Arrived && x.State != contract.Booked {
			continue
		}
		key := start{name(x), x.StartsAt}
		if id, ok := first[key]; !ok {
			first[key] = x.AppointmentID
		} else if id != x.AppointmentID {
			n++
		}
	}
	return n
}

func (r *reading) plausibleShifts(rows []contract.Shift) {
	type s = contract.Shift
	var shift, breaks int64
	for i := range rows {
		shift, breaks = shift+rows[i].ShiftMinutes, breaks+rows[i].BreakMinutes
	}
	if len(rows) >= 3 && 2*breaks > shift {
		r.implausible("`Shift Total Hours` and `Break Total Hours`", "more than half of the time is breaks", len(rows), len(rows))
	}
	if bad := len(r.batch.Quarantine); many(bad, r.batch.Rows, 30) {
		r.implausible("One of the columns", "it cannot be read", bad, r.batch.Rows)
	}
	doubted(r, rows, []doubt[s]{
		{"`Shift Total Hours` and `Break Total Hours`", "the breaks are longer than the shift", 20,
			func(x *s) bool { return x.ShiftMinutes > 0 }, func(x *s) bool { return x.BreakMinutes > x.ShiftMinutes }},
		// Who books two patients for one time is booked for longer than they work; hardly everybody does.
		{"`Shift Total Hours` and `Appointment Total Hours`", "more was booked than worked", 75,
			func(x *s) bool { return x.ShiftMinutes > 0 && x.BookedMinutes > 0 }, func(x *s) bool { return x.BookedMinutes > x.ShiftMinutes }},
		{"`Appointment Total Hours` and `Appointment Total Count`", "an appointment takes less than 5 minutes, or more than 8 hours,", 50,
			func(x *s) bool { return x.BookedCount > 0 },
			func(x *s) bool { return x.BookedMinutes < 5*x.BookedCount || x.BookedMinutes > 480*x.BookedCount }},
	})
}
