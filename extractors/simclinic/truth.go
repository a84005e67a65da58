package simclinic

import (
	"cmp"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"
)

// The days after which a slip is a leak, by the product's definition of each category. They are this package's own: the
// truth must not follow a mistake in what it is used to check.
const (
	daysToClose        = 2
	daysToCharge       = 2
	daysToChargeFee    = 2
	daysToSend         = 7
	daysToRework       = 14
	daysToChase        = 30
	daysToAnswer       = 60 // more than
	daysToPayInvoice   = 30 // more than
	daysToCollectShare = 0  // more than
)

// Leak is one row of the ground truth: something that somebody forgot and nobody made up for by the report date, or gave up on.
type Leak struct {
	// Category is the slug of the definition, for example arrived_no_charge.
	Category string
	// SourceID is the id of the appointment, or the standing invoice number.
	SourceID string
	// OccurredOn is the local service day.
	OccurredOn civil.Date
	// AmountCents includes tax.
	AmountCents int64
}

// judge turns what was forgotten into what has leaked by the end of the report date.
func (w *world) judge() []Leak {
	slips := slices.Clone(w.slips)
	// Among the slips on one part the first kind wins.
	slices.SortStableFunc(slips, func(a, b slip) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.appointment, b.appointment), cmp.Compare(a.kind, b.kind))
	})
	var leaks []Leak
	lastPart := int32(none)
	for _, s := range slips {
		if s.part == none {
			if leak, ok := w.judgeVisit(s); ok {
				// A class may have been forgotten for several people: one row, the sum.
				if n := len(leaks); n > 0 && leaks[n-1].Category == leak.Category && leaks[n-1].SourceID == leak.SourceID {
					leaks[n-1].AmountCents += leak.AmountCents
				} else {
					leaks = append(leaks, leak)
				}
			}
			continue
		}
		if s.part == lastPart {
			continue
		}
		if leak, ok := w.judgePart(s); ok {
			leaks = append(leaks, leak)
			lastPart = s.part
		}
	}
	leaks = append(leaks, w.givenUp()...)
	slices.SortFunc(leaks, func(a, b Leak) int {
		return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.SourceID, b.SourceID))
	})
	return leaks
}

// givenUp is what was written off: nobody forgot it, and nobody will ever pay it.
func (w *world) givenUp() []Leak {
	cents := map[int32]int64{}
	for _, a := range w.adjustments {
		if a.kind == writtenOff {
			cents[a.part] += a.cents
		}
	}
	var leaks []Leak
	for place, amount := range cents {
		p := &w.parts[place]
		leaks = append(leaks, Leak{"write_off", w.invoiceNumber(p, p.sequence), w.invoices[p.invoice].service.date(), amount})
	}
	return leaks
}

func (w *world) judgeVisit(s slip) (Leak, bool) {
	if s.repaired {
		return Leak{}, false
	}
	leak := Leak{
		SourceID:   fmt.Sprint(w.appointments[s.appointment].id),
		OccurredOn: w.serviceDay(s.appointment).date(), AmountCents: s.cents,
	}
	wait := day(daysToCharge)
	switch s.kind {
	case visitNotClosed:
		leak.Category, wait = "visit_not_closed", daysToClose
	case arrivedNoCharge:
		leak.Category = "arrived_no_charge"
	case noShowFee:
		leak.Category, wait = "no_show_fee", daysToChargeFee
	default:
		leak.Category, wait = "late_cancel_fee", daysToChargeFee
	}
	return leak, w.today-s.basis >= wait
}

func (w *world) judgePart(s slip) (Leak, bool) {
	p := &w.parts[s.part]
	if p.gone || p.balance() <= 0 {
		return Leak{}, false
	}
	inv := &w.invoices[p.invoice]
	leak := Leak{SourceID: w.invoiceNumber(p, p.sequence), OccurredOn: inv.service.date(), AmountCents: p.balance()}
	waited := w.today - s.basis
	switch s.kind {
	case afterPolicyEnd:
		leak.Category = "after_policy_end"
		return leak, true
	case overPolicyMaximum:
		leak.Category = "over_policy_maximum"
		return leak, true
	case claimNeverSent:
		leak.Category = "claim_never_sent"
		return leak, !s.repaired && waited >= daysToSend
	case claimRejected:
		leak.Category = "claim_rejected"
		return leak, !s.repaired && waited >= daysToRework
	case claimUnderpaid:
		leak.Category = "claim_underpaid"
		return leak, !s.repaired && waited >= daysToChase
	case insurerNeverAnswered:
		leak.Category = "insurer_balance_aged"
		return leak, !s.repaired && waited > daysToAnswer
	default:
		if w.hasStandingClaim(inv) {
			leak.Category = "copay_missed"
			return leak, w.today-inv.service > daysToCollectShare
		}
		leak.Category = "patient_balance_aged"
		return leak, w.today-p.issued > daysToPayInvoice
	}
}

// hasStandingClaim says that an insurer stands behind the invoice, courtesy claims apart.
func (w *world) hasStandingClaim(inv *invoice) bool {
	for _, c := range inv.insurer {
		if c != none && !w.parts[c].gone && !w.parts[c].prepay {
			return true
		}
	}
	return false
}

// invoiceNumber prints a part's number.
func (w *world) invoiceNumber(p *part, sequence uint8) string {
	return fmt.Sprintf("%d-%c%02d", w.invoices[p.invoice].number, p.side, sequence)
}
