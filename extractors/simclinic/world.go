package simclinic

import (
	"fmt"
	"time"
)

// world is a clinic being lived: the people, the premises, and the books so far. It runs to the end of the report date;
// whatever would happen later does not happen.
type world struct {
	dials    Dials
	calendar *calendar
	premises *premises
	schedule *schedule
	tokens   tokens
	from     day
	today    day
	horizon  day
	// now is the last second of the report date.
	now    moment
	people []person
	series []classSeries
	nights []nightSlot
	// feeTaxed says whether fees carry the tax.
	feeTaxed bool
	books
}

// newWorld runs the whole history. The dials are valid and completed.
func newWorld(d Dials) (*world, error) {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		return nil, fmt.Errorf("loading time zone %s: %w. Install the system's time zone database or choose another zone", d.Zone, err)
	}
	w := &world{dials: d, from: dayOf(d.From), today: dayOf(d.To), tokens: newTokens(d.Seed)}
	w.horizon = w.today + HorizonDays
	w.calendar = newCalendar(zone, w.from-90, w.horizon+30)
	w.now = w.calendar.lastOf(w.today)
	w.premises = newPremises(d)
	w.feeTaxed = w.premises.feeTaxed(d)
	w.schedule = newSchedule(w.premises, w.from, w.horizon+1)
	w.newPeople()
	w.planClasses()
	w.planNights()
	for i := range w.people {
		w.live(int32(i))
	}
	w.holdClasses()
	w.fillIdleTime()
	w.keepMoney()
	w.numberInvoices()
	w.numberAppointments()
	w.numberClaims()
	return w, nil
}

func (w *world) forget(s slip) int {
	w.slips = append(w.slips, s)
	return len(w.slips) - 1
}

// happened says whether a moment lies within the report.
func (w *world) happened(m moment) bool { return m <= w.now }

// serviceDay is the local day on which an appointment starts.
func (w *world) serviceDay(a int32) day { return w.calendar.dayOf(w.appointments[a].start) }

// momentIn is a moment strictly between two others at which people telephone: in the daytime if there is one.
func (w *world) momentIn(l luck, after, before moment) moment {
	if before-after < 120 {
		return after + (before-after)/2
	}
	lo, hi := w.calendar.dayOf(after), w.calendar.dayOf(before)
	for range 6 {
		m := w.calendar.at(lo+day(l.IntN(int(hi-lo)+1)), l.between(7*60+30, 20*60+30)) + moment(l.IntN(60))
		if m > after && m < before {
			return m
		}
	}
	return after + 60 + moment(l.Int64N(int64(before-after)-119))
}

// officeTime is a moment on a day at which the desk is busy.
func (w *world) officeTime(l luck, d day) moment {
	return w.calendar.at(d, l.between(8*60, 18*60)) + moment(l.IntN(60))
}
