package simclinic

import (
	"cmp"
	"slices"

	"cloud.google.com/go/civil"
)

// The rules of what is told before it is lost, by the product's definition; they are this package's own, as those of leaks.
const (
	daysBeforeLimit  = 14
	daysBeforeEnding = 30
	daysOfRate       = 90
)

// IdleDay is a day on which a practitioner had hours that nobody booked.
type IdleDay struct {
	Staff string
	On    civil.Date
	// Minutes are idle; AmountCents is what they would have brought at the rate of the booked hours of the 90 days before.
	Minutes, AmountCents int64
}

// Idle lists the idle days from a day up to the report date, if the hours of each of these days, and of no other, are known.
func (c *Clinic) Idle(from civil.Date) []IdleDay {
	w := c.world
	first := dayOf(from)
	span := int(w.today - first + 1)
	type hours struct{ shift, busy, taken int64 }
	books := make([][]hours, len(w.premises.staff))
	for staff := range books {
		books[staff] = make([]hours, span)
		p := &w.premises.staff[staff]
		for i := range books[staff] {
			if _, working := p.shiftOn(first + day(i)); working {
				books[staff][i].shift = int64(p.shut - p.open)
				if p.lunch > 0 {
					books[staff][i].shift -= lunchMinutes
				}
			}
		}
	}
	within := func(d day) bool { return d >= first && d <= w.today }
	for i := range w.nights {
		if d := w.calendar.dayOf(w.nights[i].start); within(d) {
			for staff := range w.nights[i].staffing {
				if !w.staffedBefore(i, staff) {
					books[staff][d-first].shift += 2 * nightShift
				}
			}
		}
	}
	for i := range w.appointments {
		a := &w.appointments[i]
		if d := w.calendar.dayOf(a.start); within(d) && a.item != none && (a.state == booked || a.state == arrived || a.state == missed) {
			books[a.staff][d-first].busy += int64(a.end-a.start) / 60
		}
	}
	for i := range w.parts {
		p := &w.parts[i]
		inv := &w.invoices[p.invoice]
		if within(inv.service) && !p.gone && !p.prepay && p.total != 0 {
			// What was paid beyond the total is owed back.
			books[inv.staff][inv.service-first].taken += p.collected - max(-p.balance(), 0)
		}
	}
	var idle []IdleDay
	for staff, days := range books {
		for i, d := range days {
			free := d.shift - d.busy
			if d.shift == 0 || free <= 0 {
				continue
			}
			var taken, busy int64
			for _, before := range days[max(i-daysOfRate, 0):i] {
				// Without a shift there is no row of hours.
				if before.shift > 0 {
					taken += before.taken
					busy += before.busy
				}
			}
			row := IdleDay{Staff: w.premises.staff[staff].name, On: (first + day(i)).date(), Minutes: free}
			if busy > 0 {
				row.AmountCents = (2*free*max(taken, 0) + busy) / (2 * busy)
			}
			idle = append(idle, row)
		}
	}
	return idle
}

// Warning is something that will cost money unless somebody acts.
type Warning struct {
	// Kind is filing_limit_risk or policy_running_out; Reason near or past, or ending, treatments or maximum.
	Kind, Reason string
	// Invoice is the standing number whose claim has to be sent; Patient the guid of whom it is about.
	Invoice, Patient string
	DueOn            civil.Date
	// AmountCents is the balance at risk.
	AmountCents int64
}

// Warnings lists what is to be told at the report date. limit is the filing limit of an insurer by its name, in days after the
// service.
func (c *Clinic) Warnings(limit func(insurer string) int) []Warning {
	warnings := append(c.world.filingRisks(limit), c.world.policiesRunningOut()...)
	slices.SortFunc(warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Invoice, b.Invoice), cmp.Compare(a.Patient, b.Patient))
	})
	return warnings
}

// lastSent is the newest submission of a part, or nil.
func (w *world) lastSent(place int32) *claim {
	var last *claim
	for i := range w.claims {
		if c := &w.claims[i]; c.part == place && c.submitted != never && (last == nil || c.submitted >= last.submitted) {
			last = c
		}
	}
	return last
}

// waits says that a part is the second of two insurers' and the first owes its answer, or that its own claim says so.
func (w *world) waits(place int32) bool {
	if slices.ContainsFunc(w.claims, func(c claim) bool { return c.part == place && c.folder == waitingOnPrimary }) {
		return true
	}
	inv := &w.invoices[w.parts[place].invoice]
	if inv.insurer[1] != place || inv.insurer[0] == none {
		return false
	}
	first := &w.parts[inv.insurer[0]]
	if first.gone || first.balance() <= 0 {
		return false
	}
	sent := w.lastSent(inv.insurer[0])
	return sent == nil || sent.answered == never
}

func (w *world) filingRisks(limit func(insurer string) int) []Warning {
	var warnings []Warning
	for i := range w.parts {
		p := &w.parts[i]
		place := int32(i)
		if p.side != toInsurer || p.gone || p.prepay || p.balance() <= 0 || w.waits(place) {
			continue
		}
		if sent := w.lastSent(place); sent != nil && sent.folder != rejected {
			continue
		}
		inv := &w.invoices[p.invoice]
		due := inv.service + day(limit(insurerName(p.insurer)))
		if due-w.today > daysBeforeLimit {
			continue
		}
		reason := "near"
		if due < w.today {
			reason = "past"
		}
		warnings = append(warnings, Warning{
			Kind: "filing_limit_risk", Reason: reason, Invoice: w.invoiceNumber(p, p.sequence), Patient: w.people[inv.person].guid, DueOn: due.date(),
			AmountCents: p.balance(),
		})
	}
	return warnings
}

// heldCover is what one person has with one insurer: the policy in force, and what was billed on it.
type heldCover struct {
	held         *policy
	visits       int
	billed, last int64
	lastOn       day
	lastNumber   int64
}

func (w *world) policiesRunningOut() []Warning {
	type payer struct {
		person  int32
		insurer int8
	}
	covers := map[payer]*heldCover{}
	for i := range w.policies {
		p := &w.policies[i]
		if p.ends < w.today {
			continue
		}
		key := payer{p.person, p.insurer}
		if c := covers[key]; c == nil {
			covers[key] = &heldCover{held: p}
		} else if p.ends > c.held.ends {
			c.held = p
		}
	}
	for i := range w.parts {
		p := &w.parts[i]
		inv := &w.invoices[p.invoice]
		c := covers[payer{inv.person, p.insurer}]
		if c == nil || p.side != toInsurer || p.gone || p.prepay {
			continue
		}
		c.visits++
		c.billed += p.total
		if inv.service > c.lastOn || inv.service == c.lastOn && inv.number > c.lastNumber {
			c.last, c.lastOn, c.lastNumber = p.total, inv.service, inv.number
		}
	}
	ahead := w.bookingsAhead()
	var warnings []Warning
	for key, c := range covers {
		warn := func(reason string, due day) {
			warnings = append(warnings, Warning{Kind: "policy_running_out", Reason: reason, Patient: w.people[key.person].guid, DueOn: due.date()})
		}
		if c.held.ends-w.today <= daysBeforeEnding {
			warn("ending", c.held.ends)
		}
		var covered []day
		for _, d := range ahead[key.person] {
			if d <= c.held.ends {
				covered = append(covered, d)
			}
		}
		if most := c.held.most; most > 0 {
			used := c.visits
			if !c.held.countBlank {
				used = max(used, c.held.before+c.held.used)
			}
			if room := max(most-used, 0); room < len(covered) {
				warn("treatments", covered[room])
			}
		}
		if ceiling := c.held.ceiling; ceiling > 0 && c.last > 0 {
			if room := int(max(ceiling-c.billed, 0) / c.last); room < len(covered) {
				warn("maximum", covered[room])
			}
		}
	}
	return warnings
}

// bookingsAhead are the days of everybody's bookings after the report date, in order, classes among them.
func (w *world) bookingsAhead() map[int32][]day {
	ahead := map[int32][]day{}
	for i := range w.appointments {
		a := &w.appointments[i]
		on := w.calendar.dayOf(a.start)
		if a.state != booked || on <= w.today {
			continue
		}
		people := []int32{a.person}
		if a.group != none {
			people = w.groups[a.group].people
		}
		for _, person := range people {
			if person != none {
				ahead[person] = append(ahead[person], on)
			}
		}
	}
	for _, days := range ahead {
		slices.Sort(days)
	}
	return ahead
}
