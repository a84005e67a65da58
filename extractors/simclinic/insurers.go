package simclinic

// How often claims go astray.
const (
	oddsNotSent     = 0.05
	mendsSending    = 0.35
	oddsNoAnswer    = 0.06
	oddsFirstSilent = 0.2 // of the first of two insurers
	oddsRejected    = 0.10
	oddsUnderpaid   = 0.09
	oddsMoneyLost   = 0.012 // approved in full, and the money never came
	mendsNoAnswer   = 0.3
	oddsNotReworked = 0.45
	mendsRejection  = 0.3
	oddsNotChased   = 0.55
	mendsUnderpaid  = 0.3
)

// mayMove says that what the insurer does not pay can be billed to the patient after all. It cannot where the order of
// billing matters, nor while a second insurer stands behind the first.
func (l *life) mayMove() bool { return !l.billsInOrder() && l.person.cover != dual }

// isFirstOfTwo says that a second insurer waits for this claim's answer. What the first leaves unpaid is the second's, so
// it never underpays.
func (l *life) isFirstOfTwo(c int32) bool {
	return l.person.cover == dual && l.w.invoices[l.w.parts[c].invoice].insurer[0] == c
}

// pursue follows an insurer's part from the day on which it was billed: sent, answered, paid, or forgotten on the way.
// hopeless claims are ones that the policy does not cover.
func (l *life) pursue(c int32, on day, hopeless bool) {
	sent, ok := l.send(c, on)
	if !ok {
		return
	}
	l.await(c, sent, hopeless, 1)
}

// send submits a claim and says when; ok is false where that has not happened by the report date.
func (l *life) send(c int32, on day) (sent day, ok bool) {
	w := l.w
	service := w.invoices[w.parts[c].invoice].service
	sent = on
	if on <= service+2 {
		sent = on + l.days(0, 3)
	}
	hasRow := true
	if l.chance(oddsNotSent) {
		slip := w.forget(slip{kind: claimNeverSent, appointment: none, part: c, basis: service})
		hasRow = l.chance(0.75)
		sent = on + l.days(8, 45)
		if !l.chance(mendsSending) {
			sent = never
		} else if sent <= w.today {
			w.slips[slip].repaired = true
		}
	}
	if sent <= w.today {
		return sent, true
	}
	if hasRow {
		row := l.claimFor(c, unsubmitted, never)
		if l.chance(0.4) {
			row.folder = draft
		}
		w.claims = append(w.claims, row)
	}
	return never, false
}

func (l *life) claimFor(c int32, in folder, sent day) claim {
	return claim{
		part: c, folder: in, submitted: sent, answered: never, claimed: l.w.parts[c].balance(), approved: none,
		adjuster: l.chance(0.2), hasNote: l.chance(0.15),
	}
}

// await sees what the insurer makes of a submission.
func (l *life) await(c int32, sent day, hopeless bool, attempt int) {
	w := l.w
	row := l.claimFor(c, submitted, sent)
	answer := sent + l.days(2, 24)
	rejects, silent, pays := oddsRejected/float64(attempt), oddsNoAnswer, 1-oddsUnderpaid
	if l.isFirstOfTwo(c) {
		silent = oddsFirstSilent
	}
	if hopeless {
		rejects, silent, pays = 0.55, 0.3, 1
	}
	x := l.Float64()
	if x < silent {
		slip := w.forget(slip{kind: insurerNeverAnswered, appointment: none, part: c, basis: sent})
		answer = sent + l.days(62, 130)
		if !l.chance(mendsNoAnswer) || hopeless {
			answer = never
		} else if answer <= w.today {
			w.slips[slip].repaired = true
		}
	}
	if answer > w.today {
		switch {
		case l.chance(0.1):
			row.folder = queued
		case l.chance(0.1): //nolint:gocritic // another throw of the dice
			row.folder = onHold
		}
		w.claims = append(w.claims, row)
		return
	}
	row.answered = answer
	switch x = l.Float64(); {
	case x < rejects && attempt < 4:
		row.folder, row.approved = rejected, 0
		w.claims = append(w.claims, row)
		l.rework(c, answer, hopeless, attempt)
	case !l.isFirstOfTwo(c) && l.chance(1-pays):
		l.underpay(c, row)
	default:
		l.payInFull(c, row)
	}
}

// rework sends a rejected claim again, turns to the patient, or forgets about it.
func (l *life) rework(c int32, answer day, hopeless bool, attempt int) {
	w := l.w
	if hopeless {
		// The insurer is right, and for once somebody sees it.
		if on := answer + l.days(3, 20); l.mayMove() && l.chance(0.2) && on <= w.today {
			l.moveToPatient(c, on)
		}
		return
	}
	again := answer + l.days(2, 10)
	if l.chance(oddsNotReworked) {
		slip := w.forget(slip{kind: claimRejected, appointment: none, part: c, basis: answer})
		again = answer + l.days(15, 60)
		if !l.chance(mendsRejection) {
			again = never
		} else if again <= w.today {
			w.slips[slip].repaired = true
		}
		if again > w.today {
			if begun := answer + 5; l.chance(0.3) && begun <= w.today {
				// Somebody began to correct it, and left it.
				w.claims = append(w.claims, l.claimFor(c, draft, never))
			}
			return
		}
	}
	switch {
	case again > w.today:
	case l.mayMove() && l.chance(0.2):
		l.moveToPatient(c, again)
	default:
		l.await(c, again, false, attempt+1)
	}
}

// underpay pays part of a claim, or nothing, without rejecting it.
func (l *life) underpay(c int32, row claim) {
	w := l.w
	row.folder = responseReceived
	row.approved = row.claimed * int64(l.between(40, 85)) / 100
	if l.chance(0.15) {
		row.approved = 0
	}
	w.claims = append(w.claims, row)
	if on := row.answered + l.days(0, 6); on <= w.today {
		w.receive(c, row.approved, on)
	}
	settled := row.answered + l.days(8, 25)
	if l.chance(oddsNotChased) {
		slip := w.forget(slip{kind: claimUnderpaid, appointment: none, part: c, basis: row.answered})
		settled = row.answered + l.days(31, 90)
		if !l.chance(mendsUnderpaid) {
			return
		}
		if settled <= w.today {
			w.slips[slip].repaired = true
		}
	}
	switch {
	case settled > w.today:
	case l.mayMove() && l.chance(0.5):
		l.moveToPatient(c, settled)
	default:
		w.receive(c, w.parts[c].balance(), settled)
	}
}

// payInFull approves a claim; the money comes some days later, or gets lost.
func (l *life) payInFull(c int32, row claim) {
	w := l.w
	row.folder, row.approved = approved, row.claimed
	p := &w.parts[c]
	if l.isFirstOfTwo(c) {
		l.payFirstShare(c, &row)
	}
	if l.chance(oddsMoneyLost) {
		w.forget(slip{kind: claimUnderpaid, appointment: none, part: c, basis: row.answered})
	} else if on := row.answered + l.days(0, 8); on <= w.today {
		w.receive(c, p.balance(), on)
		switch {
		case l.chance(0.04):
			row.folder = refunded
		case l.chance(0.5):
			row.folder = paid
		case l.chance(0.2):
			row.folder = responseReceived
		}
	}
	w.claims = append(w.claims, row)
	if l.isFirstOfTwo(c) {
		l.pursue(w.invoices[p.invoice].insurer[1], row.answered, false)
	}
}

// payFirstShare is the first insurer's answer for somebody with two: it takes its share, and the second owes the rest.
func (l *life) payFirstShare(c int32, row *claim) {
	w := l.w
	p := &w.parts[c]
	share := (p.total*80 + 50) / 100
	second := &w.parts[w.invoices[p.invoice].insurer[1]]
	second.total = p.total - share
	p.total, row.approved = share, share
}

// billTwo bills a visit to two insurers. Until the first has answered both parts show the whole price, and the second
// waits.
func (l *life) billTwo(inv int32, price int64, on day) {
	w := l.w
	who, held := l.person.insurer, l.person.policies
	first := l.addPart(inv, part{side: toInsurer, insurer: who[0], policy: held[0], issued: on, total: price})
	second := l.addPart(inv, part{side: toInsurer, insurer: who[1], policy: held[1], sequence: 2, issued: on, total: price})
	for _, p := range held {
		w.policies[p].used++
		w.policies[p].billed += price
	}
	before := len(w.claims)
	l.pursue(first, on, false)
	for _, row := range w.claims[before:] {
		if row.part == second {
			return
		}
	}
	if w.parts[second].total < price {
		return // the first has answered, and nobody has filed the second
	}
	w.claims = append(w.claims, l.claimFor(second, waitingOnPrimary, never))
}
