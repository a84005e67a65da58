package simclinic

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"cloud.google.com/go/civil"
)

// Recovery is what came in of a leak after it had become one.
type Recovery struct {
	// Category and SourceID are those of the leak: the id of the appointment, or the invoice number that stands.
	Category, SourceID string
	// FirstSeen is the day at whose end it first was a leak, no earlier than the standing edition of its invoice.
	FirstSeen civil.Date
	// LeakedCents was open just before money came, RecoveredCents is what has come of it and was not taken back.
	LeakedCents, RecoveredCents int64
	// FirstMoney and LastMoney are the first and the last day on which money came or was taken back.
	FirstMoney, LastMoney civil.Date
}

// edition is what stands of a part at the end of a day.
type edition struct {
	sequence uint8
	issued   day
	total    int64
}

// editionOn is what stands of a part at the end of a day, as far as any report still prints it.
func (p *part) editionOn(on day) (edition, bool) {
	switch {
	case p.prepay:
		return edition{}, false
	case !p.gone && p.issued <= on:
		return edition{p.sequence, p.issued, p.total}, true
	case p.reversed != 0 && p.issuedBefore <= on && on < p.takenBack:
		return edition{p.reversed, p.issuedBefore, p.reversedTotal}, true
	default:
		return edition{}, false
	}
}

// flow is what happened to the balance of an edition on one day.
type flow struct{ collected, adjusted int64 }

// onset is a leak that began, or began again: found on the invoice, or on an appointment.
type onset struct {
	category    string
	appointment int32 // or none
	from        day
	seen        day
}

// recovering is a leak while its money is counted.
type recovering struct {
	recovered, leaked      int64
	seen, firstOn, finalOn day
}

// Recoveries lists what was recovered of each leak by the end of a day, by category and source id. Money belongs to what its invoice
// had last become by the day before; a bounce or refund undoes what the money before it had recovered, as far as that had paid what was
// owed.
func (c *Clinic) Recoveries(by civil.Date) []Recovery {
	w, on := c.world, dayOf(by)
	claims := map[int32][]*claim{}
	for i := range w.claims {
		claims[w.claims[i].part] = append(claims[w.claims[i].part], &w.claims[i])
	}
	wrong := map[int32]slipKind{}
	for _, s := range w.slips {
		if s.kind == afterPolicyEnd || s.kind == overPolicyMaximum {
			wrong[s.part] = s.kind
		}
	}
	flows := w.flowsBy(on)
	type source struct{ category, id string }
	sums := map[source]*recovering{}
	for i := range w.parts {
		p, place := &w.parts[i], int32(i)
		stands, ok := p.editionOn(on)
		if !ok || len(flows[place]) == 0 {
			continue
		}
		days := slices.Sorted(maps.Keys(flows[place]))
		var onsets []onset
		if kind, isWrong := wrong[place]; isWrong {
			onsets = []onset{{category: leakNames[kind], appointment: none, from: stands.issued, seen: stands.issued}}
		} else {
			onsets = w.onsets(p, stands, on, days[len(days)-1], claims[place])
		}
		if late, isLate := w.chargedLate(&w.invoices[p.invoice], on); isLate {
			onsets = append(onsets, late)
		}
		slices.SortStableFunc(onsets, func(a, b onset) int { return cmp.Compare(a.from, b.from) })
		for leak, r := range recoveredBy(stands, days, flows[place], onsets) {
			at := source{leak.category, w.invoiceNumber(p, stands.sequence)}
			if leak.appointment != none {
				at.id = fmt.Sprint(w.appointments[leak.appointment].id)
			}
			if r.leaked <= 0 {
				continue
			}
			// What was found on an appointment may have come in on several invoices.
			sum := sums[at]
			if sum == nil {
				sum = &recovering{seen: r.seen, firstOn: r.firstOn}
				sums[at] = sum
			}
			sum.leaked += r.leaked
			sum.recovered += min(max(r.recovered, 0), r.leaked)
			sum.seen, sum.firstOn, sum.finalOn = min(sum.seen, r.seen), min(sum.firstOn, r.firstOn), max(sum.finalOn, r.finalOn)
		}
	}
	var out []Recovery
	for at, sum := range sums {
		out = append(out, Recovery{at.category, at.id, sum.seen.date(), sum.leaked, sum.recovered, sum.firstOn.date(), sum.finalOn.date()})
	}
	slices.SortFunc(out, func(a, b Recovery) int {
		return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.SourceID, b.SourceID))
	})
	return out
}

// flowsBy are the movements on what stands of each part, by day, up to a day.
func (w *world) flowsBy(on day) map[int32]map[day]flow {
	flows := map[int32]map[day]flow{}
	add := func(place int32, at day, f flow) {
		if flows[place] == nil {
			flows[place] = map[day]flow{}
		}
		sum := flows[place][at]
		flows[place][at] = flow{sum.collected + f.collected, sum.adjusted + f.adjusted}
	}
	for i := range w.applied {
		a := &w.applied[i]
		if stands, ok := w.parts[a.part].editionOn(on); ok && !a.undoes && a.sequence == stands.sequence && a.on <= on {
			add(a.part, a.on, flow{collected: a.cents})
		}
	}
	for i := range w.adjustments {
		a := &w.adjustments[i]
		// An adjustment is printed with the number that stands in the end.
		if stands, ok := w.parts[a.part].editionOn(on); ok && w.parts[a.part].sequence == stands.sequence && a.on <= on {
			add(a.part, a.on, flow{adjusted: a.cents})
		}
	}
	return flows
}

// leakKey is what tells the leaks of one invoice apart.
type leakKey struct {
	category    string
	appointment int32
}

// recoveredBy counts what the money of one invoice recovered.
func recoveredBy(stands edition, days []day, flows map[day]flow, onsets []onset) map[leakKey]*recovering {
	found := map[leakKey]*recovering{}
	balance := stands.total
	var last *recovering // of the leak that the money before recovered
	for _, on := range days {
		f := flows[on]
		if f.collected > 0 {
			last = nil
			if began := lastOnset(onsets, on-1); began != nil {
				key := leakKey{began.category, began.appointment}
				if last = found[key]; last == nil {
					last = &recovering{seen: began.seen, firstOn: on}
					found[key] = last
				}
				last.seen = min(last.seen, began.seen)
				last.leaked = max(last.leaked, balance)
			}
		}
		if f.collected != 0 && last != nil {
			last.recovered += max(balance, 0) - max(balance-f.collected, 0)
			last.finalOn = on
		}
		balance -= f.collected + f.adjusted
	}
	return found
}

// lastOnset is the leak that had last begun by the end of a day; onsets are in order.
func lastOnset(onsets []onset, by day) *onset {
	for i, o := range slices.Backward(onsets) {
		if o.from <= by {
			return &onsets[i]
		}
	}
	return nil
}

var leakNames = map[slipKind]string{
	afterPolicyEnd: "after_policy_end", overPolicyMaximum: "over_policy_maximum", claimNeverSent: "claim_never_sent",
	claimRejected: "claim_rejected", claimUnderpaid: "claim_underpaid", insurerNeverAnswered: "insurer_balance_aged",
}

// onsets are the days on which a part became a leak, or another one, before the last day on which money moved: the ledger's conditions
// asked at the end of every day. A claim goes with its debt through every edition of the invoice; what stands is seen no earlier
// than it was issued.
func (w *world) onsets(p *part, stands edition, by, last day, claims []*claim) []onset {
	inv := &w.invoices[p.invoice]
	first := stands.issued
	if p.side == toInsurer {
		first = min(first, inv.created)
	}
	insurers := 0
	for _, c := range inv.insurer {
		if c != none {
			if _, standsToo := w.parts[c].editionOn(by); standsToo {
				insurers++
			}
		}
	}
	var found []onset
	before := ""
	for on := first; on < last; on++ {
		is := ""
		switch {
		case p.side == toInsurer:
			is = leakOfClaim(claims, inv.service, on, insurers > 1)
		case insurers > 0 && on-inv.service > daysToCollectShare:
			is = "copay_missed"
		case insurers == 0 && on-stands.issued > daysToPayInvoice:
			is = "patient_balance_aged"
		}
		if is != "" && is != before {
			found = append(found, onset{category: is, appointment: none, from: max(on, stands.issued), seen: max(on, stands.issued)})
		}
		before = is
	}
	return found
}

// leakOfClaim is what an insurer's part is at the end of a day by its claims, or nothing. Of two insurers nothing is said about sending.
func leakOfClaim(claims []*claim, service, on day, ofTwo bool) string {
	var sent *claim
	for _, c := range claims {
		if c.submitted <= on && (sent == nil || c.submitted >= sent.submitted) {
			sent = c
		}
	}
	switch {
	case sent == nil:
		if on-service >= daysToSend && !ofTwo {
			return leakNames[claimNeverSent]
		}
	case sent.answered > on:
		if on-sent.submitted > daysToAnswer && sent.folder != waitingOnPrimary {
			return leakNames[insurerNeverAnswered]
		}
	case sent.folder == rejected:
		if on-sent.answered >= daysToRework {
			return leakNames[claimRejected]
		}
	case sent.folder == responseReceived || sent.folder == approved || sent.folder == paid:
		if on-sent.answered >= daysToChase {
			return leakNames[claimUnderpaid]
		}
	}
	return ""
}

// chargedLate says that an invoice was written only after its missing had become a leak, if the first edition is still printed: of a later
// one nobody can tell. All its money came after that, also on the day on which it was written.
func (w *world) chargedLate(inv *invoice, by day) (onset, bool) {
	if inv.appointment == none || inv.created-inv.service <= daysToCharge || inv.created > by || !w.printsFirst(inv) {
		return onset{}, false
	}
	it := &w.appointments[inv.appointment]
	late := onset{appointment: inv.appointment, from: inv.created - 1, seen: inv.service + daysToCharge}
	closed := inv.service
	switch {
	case inv.category != missFee:
		late.category = "arrived_no_charge"
		closed = w.calendar.dayOf(it.arrived)
	case inv.fee == noShow:
		late.category = "no_show_fee"
	default:
		late.category = "late_cancel_fee"
		closed = w.calendar.dayOf(it.cancelled)
	}
	if open := w.calendar.dayOf(it.end) + daysToClose; closed > open && closed >= inv.created {
		// Until the day on which it was written nobody knew how it had ended.
		late.category, late.seen = "visit_not_closed", open
	} else {
		late.seen = max(late.seen, closed)
	}
	return late, true
}

// printsFirst says that what was first written of an invoice, or of some part of it, is still printed.
func (w *world) printsFirst(inv *invoice) bool {
	for _, place := range [...]int32{inv.patient, inv.insurer[0], inv.insurer[1]} {
		if place == none {
			continue
		}
		p := &w.parts[place]
		if !p.gone && p.sequence == 1 && p.issued == inv.created || p.reversed == 1 && p.issuedBefore == inv.created {
			return true
		}
	}
	return false
}
