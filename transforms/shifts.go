package transforms

import (
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// shiftRow reads rows of the hours report. They hold no day: the file's range is their period.
func (r *reading) shiftRow() func() {
	var (
		staff, scheduled, breaks = r.column("staff_member"), r.column("shift_minutes"), r.column("break_minutes")
		booked, count            = r.column("booked_minutes"), r.column("booked_count")
	)
	r.finishRows = r.addUpShifts
	return func() {
		s := contract.Shift{
			StaffMember:   r.staff(r.requiredName(staff)),
			PeriodFrom:    r.rangeFrom,
			PeriodTo:      r.rangeTo,
			ShiftMinutes:  required(r, scheduled, normalise.Hours),
			BreakMinutes:  required(r, breaks, normalise.Hours),
			BookedMinutes: required(r, booked, normalise.Hours),
			BookedCount:   int64(required(r, count, normalise.Count)),
		}
		if r.badReason != "" {
			return
		}
		r.on(s.PeriodFrom)
		r.batch.Shifts = append(r.batch.Shifts, s)
	}
}

// addUpShifts gives every staff member one row. Rows that differ are parts of the same person's hours, at two locations
// for example, and are added up; a row that is there twice counts once.
func (r *reading) addUpShifts() {
	rows := r.batch.Shifts
	slices.SortFunc(rows, func(a, b contract.Shift) int {
		if c := strings.Compare(a.StaffMember, b.StaffMember); c != 0 {
			return c
		}
		return compareContent(a, b)
	})
	var out []contract.Shift
	for i, s := range rows {
		switch {
		case i > 0 && s == rows[i-1]:
			r.batch.Remarks[RepeatedRow]++
		case i > 0 && s.StaffMember == rows[i-1].StaffMember:
			sum := &out[len(out)-1]
			sum.ShiftMinutes += s.ShiftMinutes
			sum.BreakMinutes += s.BreakMinutes
			sum.BookedMinutes += s.BookedMinutes
			sum.BookedCount += s.BookedCount
		default:
			out = append(out, s)
		}
	}
	r.batch.Shifts = out
}
