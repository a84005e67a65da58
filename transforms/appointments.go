package transforms

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// booking is what the appointments report prints as one row: the seats of one appointment.
type booking struct {
	seats []contract.Appointment
	// stamp is the newest of its event stamps, noDay without any.
	stamp int64
}

// appointmentRow reads rows of the appointments report.
func (r *reading) appointmentRow() func() {
	var (
		id, patient, location   = r.column("appointment_id"), r.column("patient"), r.column("location")
		staff, treatment, state = r.column("staff_member"), r.column("treatment"), r.column("state")
		starts, ends            = r.column("starts_at"), r.column("ends_at")
		first, online           = r.column("first_visit"), r.column("booked_online")
		booked, arrived         = r.column("booked_at"), r.column("arrived_at")
		cancelled, reason       = r.column("cancelled_at"), r.column("cancelled_reason")
		firstName               = r.column(firstNameColumn)
		zone                    = r.t.zone.String()
		bookings                []booking
		who                     []*string
	)
	r.finishRows = func() {
		r.batch.Appointments = r.seats(bookings)
		if firstName != nowhere {
			r.batch.Identities = r.identities()
		}
	}
	return func() {
		who = who[:0]
		if guids := r.cell(patient).Text; bytes.IndexByte(guids, ';') < 0 {
			if len(bytes.TrimSpace(guids)) > 0 {
				who = append(who, r.patient(patient, guids))
			}
		} else {
			for _, guid := range splitPatients(guids) {
				who = append(who, r.patient(patient, guid))
			}
		}
		a := contract.Appointment{
			AppointmentID: required(r, id, normalise.PositiveID),
			Location:      r.name(location),
			StaffMember:   r.staff(r.name(staff)),
			Treatment:     r.name(treatment),
			State:         required(r, state, normalise.State),
			StartsAt:      required(r, starts, r.clock.Instant),
			EndsAt:        required(r, ends, r.clock.Instant),
			TimeZone:      zone,
			FirstVisit:    nullable(r, first, normalise.Bool),
			BookedAt:      nullable(r, booked, r.clock.Instant),
			ArrivedAt:     nullable(r, arrived, r.clock.Instant),
			CancelledAt:   nullable(r, cancelled, r.clock.Instant),
			BookedOnline:  nullable(r, online, normalise.Bool),
		}
		if why, ok := optional(r, reason, normalise.CancelledReason); ok {
			a.CancelledReason = &why
		}
		if a.StaffMember == "" && len(who) > 0 {
			r.fail(staff, normalise.Missing)
		}
		if a.EndsAt < a.StartsAt {
			r.fail(ends, normalise.EndsEarly)
		}
		if r.badReason != "" {
			return
		}
		if firstName != nowhere {
			r.identify(firstName, r.cell(patient).Text, who, a.StartsAt)
		}
		a.ServiceDate = r.clock.LocalDay(a.StartsAt)
		b := booking{stamp: noDay}
		for _, at := range []*int64{a.BookedAt, a.ArrivedAt, a.CancelledAt} {
			if at != nil {
				b.stamp = max(b.stamp, *at)
			}
		}
		if b.stamp != noDay {
			r.happened(r.clock.LocalDay(b.stamp))
		}
		if a.State == contract.Arrived || a.State == contract.NoShow {
			r.happened(a.ServiceDate)
		}
		r.on(a.ServiceDate)
		b.seats = seatsOf(a, who)
		bookings = append(bookings, b)
	}
}

// seatsOf gives a row for each patient. They are numbered in the order of their pseudonyms, so that it does not matter
// in which order the portal printed them; a patient who is named twice has one seat.
func seatsOf(a contract.Appointment, who []*string) []contract.Appointment {
	if len(who) <= 1 {
		if len(who) == 1 {
			a.Patient = who[0]
		}
		return []contract.Appointment{a}
	}
	sorted := slices.Clone(who)
	slices.SortFunc(sorted, func(x, y *string) int { return strings.Compare(*x, *y) })
	sorted = slices.CompactFunc(sorted, func(x, y *string) bool { return *x == *y })
	seats := make([]contract.Appointment, len(sorted))
	for i, p := range sorted {
		seats[i] = a
		seats[i].Patient, seats[i].Seat = p, int32(i)
	}
	return seats
}

// seats keeps one booking of every id and lays out its seats in the order of their start.
func (r *reading) seats(bookings []booking) []contract.Appointment {
	bookings = newest(r, bookings,
		func(a, b booking) int { return cmp.Compare(a.seats[0].AppointmentID, b.seats[0].AppointmentID) },
		func(a, b booking) int { return cmp.Compare(a.stamp, b.stamp) },
		func(b booking) any { return b.seats })
	slices.SortFunc(bookings, func(a, b booking) int {
		x, y := &a.seats[0], &b.seats[0]
		return cmp.Or(cmp.Compare(x.StartsAt, y.StartsAt), cmp.Compare(x.AppointmentID, y.AppointmentID))
	})
	out := make([]contract.Appointment, 0, len(bookings))
	for _, b := range bookings {
		out = append(out, b.seats...)
	}
	return out
}
