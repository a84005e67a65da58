package simclinic

import (
	"cmp"
	"slices"
)

var claimHeaders = []string{
	"Claim Id", "Invoice #", "Patient Guid", "Patient", "Insurer", "Policy #", "Service Date", "Folder", "Submitted Date",
	"Response Date", "Claimed", "Approved", "Adjuster", "Notes",
}

var policyHeaders = []string{
	"Patient", "Patient Guid", "Insurer(s)", "Name", "Claim #", "Policy #", "Status", "End Date", "Adjuster",
	"Number of Treatments", "Max Treatments", "Policy Maximum", "Next Appointment", "Notes",
}

// orderByService is the order of the claims report.
func (w *world) orderByService() []int32 {
	order := places(len(w.claims))
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(w.servedOn(i), w.servedOn(j)), cmp.Compare(w.claims[i].id, w.claims[j].id))
	})
	return order
}

func (w *world) servedOn(claim int32) day {
	return w.invoices[w.parts[w.claims[claim].part].invoice].service
}

func (w *world) listClaims(byService []int32, first, last day, extra bool, yield func([]Cell) error) error {
	find := func(d day) int {
		at, _ := slices.BinarySearchFunc(byService, d, func(i int32, d day) int { return cmp.Compare(w.servedOn(i), d) })
		return at
	}
	row := make([]Cell, 0, len(claimHeaders)+1)
	for _, i := range byService[find(first):find(last+1)] {
		c := &w.claims[i]
		p := &w.parts[c.part]
		inv := &w.invoices[p.invoice]
		who := &w.people[inv.person]
		var policyNumber, adjuster, remark, allowed Cell
		if p.policy != none {
			policyNumber = text(w.tokens.policyNumber(int(p.policy)))
		}
		if c.adjuster {
			adjuster = text(w.tokens.of(otherNames, spaceClerks+int(i)))
		}
		if c.hasNote {
			remark = text(w.remarkText(i))
		}
		if c.approved != none {
			allowed = cents(c.approved)
		}
		row = append(row[:0],
			number(c.id), text(w.claimedOn(p)), text(who.guid), text(who.name()), text(insurerName(p.insurer)), policyNumber,
			onDay(inv.service), text(folderNames[c.folder]), maybeDay(c.submitted), maybeDay(c.answered), cents(c.claimed), allowed,
			adjuster, remark,
		)
		if extra {
			row = append(row, text(w.diagnosisText(int(inv.person))))
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// claimedOn is the invoice number that a claim prints: the standing one, or the one it was filed under.
func (w *world) claimedOn(p *part) string {
	if p.claimsOld || p.gone {
		first := uint8(1)
		if w.invoices[p.invoice].insurer[1] != none && &w.parts[w.invoices[p.invoice].insurer[1]] == p {
			first = 2
		}
		return w.invoiceNumber(p, first)
	}
	return w.invoiceNumber(p, p.sequence)
}

func (w *world) listPolicies(extra bool, yield func([]Cell) error) error {
	next := w.nextVisits()
	row := make([]Cell, 0, len(policyHeaders)+1)
	for i := range w.policies {
		p := &w.policies[i]
		who := &w.people[p.person]
		var adjuster, used, most, ceiling, coming, aside Cell
		if p.adjuster {
			adjuster = text(w.tokens.of(otherNames, spaceAgents+i))
		}
		if !p.countBlank {
			used = number(int64(p.before + p.used))
		}
		if p.most > 0 {
			most = number(int64(p.most))
		}
		if p.ceiling > 0 {
			ceiling = cents(p.ceiling)
		}
		if next[p.person] != never {
			coming = onDay(next[p.person])
		}
		if p.hasNote {
			aside = text(w.asideText(i))
		}
		row = append(row[:0],
			text(who.name()), text(who.guid), text(insurerName(p.insurer)), text(w.planText(i)), text(w.tokens.caseNumber(i)),
			text(w.tokens.policyNumber(i)), text(p.status), maybeDay(p.ends), adjuster, used, most, ceiling, coming, aside,
		)
		if extra {
			row = append(row, text(w.tokens.birthDate(int(p.person))))
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// nextVisits is the day of everybody's next booking after the report date, or never.
func (w *world) nextVisits() []day {
	next := make([]day, len(w.people))
	for i := range next {
		next[i] = never
	}
	for i := range w.appointments {
		a := &w.appointments[i]
		if a.person == none || a.state != booked || a.start <= w.now {
			continue
		}
		next[a.person] = min(next[a.person], w.calendar.dayOf(a.start))
	}
	return next
}
