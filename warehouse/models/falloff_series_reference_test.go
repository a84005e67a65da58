package models

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// This file goes on with the second implementation: what an episode is counted under, and what is counted of it.

// seriesName names one of the series that episodes are counted in.
type seriesName struct {
	Discipline string `parquet:"discipline,optional"`
	Dimension  string `parquet:"dimension,optional"`
	Value      string `parquet:"value,optional"`
}

// openings finds what each episode is counted under.
func (r *falloffReference) openings(c *randomClinic) {
	billed := r.billed(c)
	for _, e := range r.episodes {
		var first []contract.Appointment
		for _, a := range r.appointments {
			if a.State == contract.Arrived && *a.Patient == e.patient && a.ServiceDate == e.days[0] && disciplineOf(a.Treatment) == e.discipline {
				first = append(first, a)
			}
		}
		slices.SortFunc(first, inOrder)
		e.staff, e.location, e.payer = first[0].StaffMember, first[0].Location, "none"
		for _, a := range first {
			for _, side := range billed[e.patient+"/"+strconv.FormatInt(a.AppointmentID, 10)] {
				switch {
				case side == contract.InsurerSide:
					e.payer = "insurer"
				case e.payer == "none":
					e.payer = "person"
				}
			}
		}
	}
}

func inOrder(a, b contract.Appointment) int {
	return cmp.Or(cmp.Compare(a.StartsAt, b.StartsAt), cmp.Compare(a.AppointmentID, b.AppointmentID))
}

// billed gives the sides of the lines that stand at D, by patient and visit: visits and invoices that share patient, day, staff
// and item pair in the order of start time and invoice number.
func (r *falloffReference) billed(c *randomClinic) map[string][]string {
	type edition struct {
		base, side, payer string
	}
	payerOf := func(l contract.InvoiceLine) string {
		if l.PayerID == nil {
			return ""
		}
		return *l.PayerID
	}
	standing, reversed := map[edition]int32{}, map[edition]int32{}
	for _, l := range c.Lines {
		if l.InvoiceDate > r.asOf {
			continue
		}
		e := edition{l.InvoiceBase, l.InvoiceSide, payerOf(l)}
		if l.IsReversal {
			reversed[e] = max(reversed[e], l.InvoiceSequence)
		} else {
			standing[e] = max(standing[e], l.InvoiceSequence)
		}
	}
	type work struct {
		patient     string
		day         int32
		staff, item string
	}
	invoices, sides := map[work][]int{}, map[int][]string{}
	for _, l := range c.Lines {
		e := edition{l.InvoiceBase, l.InvoiceSide, payerOf(l)}
		if l.InvoiceDate > r.asOf || l.IsReversal || l.IsPrepay || l.InvoiceSequence != standing[e] || reversed[e] >= standing[e] {
			continue
		}
		base, _ := strconv.Atoi(l.InvoiceBase)
		at := work{l.Patient, l.PurchaseDate, l.StaffMember, l.Item}
		if !slices.Contains(invoices[at], base) {
			invoices[at] = append(invoices[at], base)
		}
		sides[base] = append(sides[base], l.InvoiceSide)
	}
	visits := map[work][]contract.Appointment{}
	for _, a := range r.appointments {
		if a.State == contract.Arrived {
			at := work{*a.Patient, a.ServiceDate, a.StaffMember, a.Treatment}
			visits[at] = append(visits[at], a)
		}
	}
	out := map[string][]string{}
	for at, done := range visits {
		slices.SortFunc(done, inOrder)
		bases := slices.Sorted(slices.Values(invoices[at]))
		for i, a := range done[:min(len(done), len(bases))] {
			out[at.patient+"/"+strconv.FormatInt(a.AppointmentID, 10)] = sides[bases[i]]
		}
	}
	return out
}

// series are all that the episode is counted in.
func (e *referenceEpisode) series() []seriesName {
	var out []seriesName
	for _, d := range []string{"all", e.discipline} {
		out = append(out, seriesName{d, "all", "all"}, seriesName{d, "cohort_month", contract.DateOf(e.days[0]).String()[:7]},
			seriesName{d, "staff_member", e.staff}, seriesName{d, "location", e.location}, seriesName{d, "payer_kind", e.payer},
			seriesName{d, "beginning", e.beginning})
	}
	return out
}

// lastVisit is the other definition of falloff; who was first seen in the last days is not in it.
func (e *referenceEpisode) lastVisit() (time int32, event, isIn bool) {
	judged := e.until - e.limit
	last := e.days[len(e.days)-1]
	switch {
	case e.days[0] > judged:
		return 0, false, false
	case last < judged:
		return last - e.days[0], true, true
	default:
		return judged - e.days[0], false, true
	}
}

// dueVisits counts the visits that are old enough to tell, and stops lists those of them, from 1, that a lapse followed.
func (e *referenceEpisode) dueVisits(asOf int32) (due int32, stops []int32) {
	for i, day := range e.days {
		if day > asOf-e.limit {
			break
		}
		due++
		next := e.until
		if i+1 < len(e.days) {
			next = e.days[i+1]
		}
		if e.lapsesBetween(day, next) {
			stops = append(stops, due)
		}
	}
	return due, stops
}

// rebooked counts the visit days at whose end a later booking stood.
func (r *falloffReference) rebooked(e *referenceEpisode) int64 {
	var n int64
	for _, day := range e.days {
		if r.isBookedAt(e, day) {
			n++
		}
	}
	return n
}

func (r *falloffReference) isBookedAt(e *referenceEpisode, day int32) bool {
	return slices.ContainsFunc(r.bookings[[2]string{e.patient, e.discipline}], func(s standing) bool { return s.from <= day && day < s.to })
}

// reactivations walks from each visit to the next, asking on each day for the status.
func (r *falloffReference) reactivations(e *referenceEpisode) int64 {
	var n int64
	for i, day := range e.days {
		next := e.until
		switch {
		case i+1 < len(e.days):
			next = e.days[i+1]
		case e.current:
			continue
		}
		then := referenceEpisode{days: e.days[:i+1]}
		for d := day + 1; d < next; d++ {
			if then.judge(d, r.gaps[e.discipline], r.isBookedAt(e, d)); then.status == "fallen_off" {
				n++
				break
			}
		}
	}
	return n
}

// finished asks the list of unscheduled patients whether the patient had finished care when it was made, row by row, and what has
// happened since.
func (r *falloffReference) finished(c *randomClinic, patient string) (isFinished, isReconstructed bool) {
	if len(c.Unscheduled) == 0 {
		return false, false
	}
	seenOn, reachesBackTo := c.Unscheduled[0].ObservedOn, int32(math.MaxInt32)
	for _, u := range c.Unscheduled {
		if u.LastVisitOn != nil {
			reachesBackTo = min(reachesBackTo, *u.LastVisitOn)
		}
		if u.Patient == patient {
			return false, false
		}
	}
	last := int32(-1)
	for _, a := range c.Appointments {
		if *a.Patient != patient {
			continue
		}
		after := func(micros *int64) bool { return micros != nil && localDayOf(c, *micros) > seenOn }
		switch {
		case a.State == contract.Arrived && a.ServiceDate <= seenOn && !after(a.ArrivedAt):
			last = max(last, a.ServiceDate)
		case a.ServiceDate > seenOn && !after(a.BookedAt) && (a.State != contract.Cancelled || a.CancelledAt == nil || after(a.CancelledAt)):
			return false, false // Archived and rescheduled ones were seen so later, at D.
		}
	}
	if last < reachesBackTo || last > r.asOf {
		return false, false
	}
	for _, a := range r.appointments {
		if *a.Patient == patient && (a.State == contract.Arrived && a.ServiceDate > seenOn || a.State == contract.Booked && a.ServiceDate > r.asOf) {
			return false, false
		}
	}
	return seenOn <= r.asOf, seenOn > r.asOf
}

// outcome is how and when an episode ended, or that it has not.
func (e *referenceEpisode) outcome() (time int32, outcome string) {
	time, event := e.lapse()
	last := e.days[len(e.days)-1] - e.days[0]
	switch isEarlier := event && time-e.limit < last; {
	case e.current && e.status == "finished" && !isEarlier:
		return last, "finished"
	case event:
		return time, "fallen_off"
	default:
		return time, ""
	}
}
