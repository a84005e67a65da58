package simclinic

// settle lets the patient pay a part from the day it is issued on, or leaves it unpaid.
func (l *life) settle(place int32, on day) {
	w := l.w
	p := &w.parts[place]
	owed := p.balance()
	if owed <= 0 {
		return
	}
	if !l.chance(oddsNotCollected) {
		w.receive(place, owed, on)
		if l.chance(0.03) {
			// Paid too much, and the desk put all of it on this invoice: it owes the patient.
			w.receive(place, int64(l.between(4, 60))*100, on)
		}
		return
	}
	// The desk let them go without paying.
	slip := w.forget(slip{kind: patientNotPaid, appointment: none, part: place, basis: on})
	later := on + l.days(1, 24)
	x := l.Float64()
	switch {
	case x < 0.25:
	case x < 0.45:
		later = on + l.days(31, 130)
	case x < 0.60:
		if later <= w.today {
			w.receive(place, owed*int64(l.between(20, 70))/100, later) // part of it, and no more
		}
		return
	default:
		return
	}
	if later <= w.today {
		w.receive(place, owed, later)
		w.slips[slip].repaired = true
	}
}

// renumberLater edits an issued part, once in a while, some time after.
func (l *life) renumberLater(place int32) {
	if !l.chance(0.08) {
		return
	}
	p := &l.w.parts[place]
	if p.gone || p.total == 0 {
		return
	}
	if on := p.issued + l.days(1, 60); on <= l.w.today {
		l.w.renumber(place, on)
		if again := on + l.days(1, 5); l.chance(0.1) && p.reversed == 0 && again <= l.w.today {
			l.w.renumber(place, again)
		}
	}
}

// renumber replaces a part by its next version. Before the clinic has reconciled the month the old number vanishes;
// after that it stays, with a negative line to take it back. A part is taken back once at most: later edits replace.
func (w *world) renumber(place int32, on day) {
	p := &w.parts[place]
	if on <= reconciled(p.issued) || p.reversed != 0 {
		p.sequence++
	} else {
		p.reversed, p.issuedBefore, p.takenBack, p.reversedTotal = p.sequence, p.issued, on, p.total
		p.reversedPaid = p.collected >= p.total && place%2 == 0
		p.sequence += 2
	}
	p.issued = on
}

// reconciled is the day up to which a month's invoices may still be changed without a trace.
func reconciled(issued day) day { return issued.nextMonth() + 4 }

// moveToPatient takes what an insurer has not paid and bills it to the patient instead.
func (l *life) moveToPatient(c int32, on day) {
	w := l.w
	from := &w.parts[c]
	rest := from.balance()
	inv := from.invoice
	if from.collected == 0 {
		if on > reconciled(from.issued) && from.reversed == 0 {
			from.reversed, from.issuedBefore, from.takenBack, from.reversedTotal = from.sequence, from.issued, on, from.total
		}
		from.gone = true
		from.total = 0
	} else {
		w.renumber(c, on)
		w.parts[c].total = from.collected
	}
	p := w.invoices[inv].patient
	if p == none {
		p = l.addPart(inv, part{side: toPatient, insurer: none, issued: on, total: rest})
	} else {
		w.renumber(p, on)
		w.parts[p].total += rest
	}
	l.settle(p, on)
}
