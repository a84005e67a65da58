package simclinic

import (
	"cmp"
	"slices"
	"strings"
)

var (
	transactionHeaders = []string{
		"Transaction #", "Type", "Date", "Processing Date", "Patient Guid", "Patient", "Payer", "Payment Method", "Applied To", "Amount",
		"Tip", "Amount Paid to Clinic", "Reference", "Notes",
	}
	appliedHeaders = []string{
		"Transaction #", "Payment Date", "Applied Date", "Purchase Date", "Patient Guid", "Patient", "Payer", "Invoice #", "Applied Amount",
	}
	adjustmentHeaders = []string{
		"Adjustment Date", "Adjustment Type", "Invoice #", "Purchase Date", "Patient Guid", "Patient", "Payer", "Staff Member", "Location",
		"Adjustment Amount", "Reason",
	}
	writeOffHeaders = []string{
		"Write Off Date", "Invoice #", "Purchase Date", "Patient Guid", "Patient", "Payer", "Staff Member", "Location",
		"Amount Written Off", "Reason",
	}
	creditHeaders     = []string{"Patient Guid", "Patient", "Payer", "Credit"}
	receivableHeaders = []string{
		"From", "To", "Opening A/R", "Sales", "Transactions", "Opening Credits", "Closing Credits", "Credit Memos", "Tips", "Closing A/R",
	}
)

// paymentsOf cuts the payments of a range of days out of those in order of day, with the place of the first.
func (w *world) paymentsOf(first, last day) (from, to int) {
	find := func(d day) int {
		at, _ := slices.BinarySearchFunc(w.payments, d, func(p payment, d day) int { return cmp.Compare(p.on, d) })
		return at
	}
	return find(first), find(last + 1)
}

// appliedOf are the applications of a payment.
func (w *world) appliedOf(payment int) []application {
	find := func(p int) int {
		at, _ := slices.BinarySearchFunc(w.applied, int32(p), func(a application, p int32) int { return cmp.Compare(a.payment, p) })
		return at
	}
	return w.applied[find(payment):find(payment+1)]
}

// paidVersion is the invoice number that an application is about.
func (w *world) paidVersion(a *application) string {
	p := &w.parts[a.part]
	if a.undoes {
		return w.invoiceNumber(p, a.sequence+1) + "X"
	}
	return w.invoiceNumber(p, a.sequence)
}

// whose are guid and name of a payment's patient, and the name of its payer; blank where an insurer or the clinic itself pays.
func (w *world) whose(p *payment) (guid, name, payer Cell) {
	switch {
	case p.person != none:
		who := &w.people[p.person]
		return text(who.guid), text(who.name()), text(who.payerName())
	case p.insurer != none:
		return Cell{}, Cell{}, text(insurerName(p.insurer))
	default:
		return Cell{}, Cell{}, Cell{}
	}
}

func (w *world) listTransactions(first, last day, extra bool, yield func([]Cell) error) error {
	row := make([]Cell, 0, len(transactionHeaders)+1)
	from, to := w.paymentsOf(first, last)
	var numbers []string
	for i := from; i < to; i++ {
		p := &w.payments[i]
		numbers = numbers[:0]
		for _, a := range w.appliedOf(i) {
			if n := w.paidVersion(&a); !a.undoes && a.sequence == w.parts[a.part].sequence && !slices.Contains(numbers, n) {
				numbers = append(numbers, n)
			}
		}
		guid, name, payer := w.whose(p)
		var reference, note Cell
		if p.method == byCheque {
			reference = text(w.tokens.of(freeText, spaceCheques+i))
		}
		if p.hasNote {
			note = text(w.tokens.phrase(detailPhrases, spacePayments, i))
		}
		row = append(row[:0],
			number(p.number), text(paymentKinds[p.kind]), onDay(p.on), maybeDay(p.settled), guid, name, payer, text(paymentMethods[p.method]),
			text(strings.Join(numbers, ", ")), cents(p.cents), cents(p.tip), cents(p.reached), reference, note)
		if extra {
			var card Cell
			if p.person != none && p.method <= byDebit {
				card = text(w.tokens.card(int(p.person)))
			}
			row = append(row, card)
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) listApplied(first, last day, extra bool, yield func([]Cell) error) error {
	row := make([]Cell, 0, len(appliedHeaders)+1)
	from, to := w.paymentsOf(first, last)
	for i := from; i < to; i++ {
		p := &w.payments[i]
		if p.kind == bankFee {
			continue
		}
		guid, name, payer := w.whose(p)
		share := func(on, service, invoice Cell, amount int64) error {
			row = append(row[:0], number(p.number), onDay(p.on), on, service, guid, name, payer, invoice, cents(amount))
			if extra {
				row = append(row, w.phoneCell(p.person))
			}
			return yield(row)
		}
		left := p.cents - p.tip
		for _, a := range w.appliedOf(i) {
			left -= a.cents
			if err := share(onDay(a.on), onDay(w.invoices[w.parts[a.part].invoice].service), text(w.paidVersion(&a)), a.cents); err != nil {
				return err
			}
		}
		if left != 0 {
			if err := share(Cell{}, Cell{}, Cell{}, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// listAdjustments lists the write-offs of a range of days, or everything else that was taken off.
func (w *world) listAdjustments(first, last day, writeOffs, extra bool, yield func([]Cell) error) error {
	row := make([]Cell, 0, len(adjustmentHeaders)+1)
	for i := range w.adjustments {
		a := &w.adjustments[i]
		if a.on < first || a.on > last || (a.kind == writtenOff) != writeOffs {
			continue
		}
		p := &w.parts[a.part]
		inv := &w.invoices[p.invoice]
		who := &w.people[inv.person]
		var why Cell
		if a.hasReason {
			why = text(w.tokens.phrase(remarkPhrases, spaceAdjustments, i))
		}
		row = append(row[:0], onDay(a.on))
		if !writeOffs {
			row = append(row, text(adjustmentKinds[a.kind]))
		}
		row = append(row,
			text(w.invoiceNumber(p, p.sequence)), onDay(inv.service), text(who.guid), text(who.name()), text(w.payerText(p, who)),
			text(w.premises.staff[inv.staff].name), text(w.premises.places[inv.place]), cents(a.cents), why)
		if extra {
			row = append(row, text(w.tokens.email(int(inv.person))))
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// listCredits lists what stands on account at the end of a day.
func (w *world) listCredits(asOf day, extra bool, yield func([]Cell) error) error {
	asOf = min(asOf, w.today)
	people, insurers := make([]int64, len(w.people)), make([]int64, len(insurerNames)+1)
	add := func(p *payment, amount int64) {
		if p.person != none {
			people[p.person] += amount
		} else if p.insurer != none {
			insurers[p.insurer] += amount
		}
	}
	for i := range w.payments {
		if p := &w.payments[i]; p.on <= asOf {
			add(p, p.cents-p.tip)
		}
	}
	for i := range w.applied {
		if a := &w.applied[i]; a.on <= asOf {
			add(&w.payments[a.payment], -a.cents)
		}
	}
	row := make([]Cell, 0, len(creditHeaders)+1)
	for i, amount := range people {
		if amount == 0 {
			continue
		}
		who := &w.people[i]
		row = append(row[:0], text(who.guid), text(who.name()), text(who.payerName()), cents(amount))
		if extra {
			row = append(row, text(w.tokens.email(i)))
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	for i, amount := range insurers {
		if amount == 0 {
			continue
		}
		row = append(row[:0], Cell{}, Cell{}, text(insurerName(int8(i))), cents(amount))
		if extra {
			row = append(row, Cell{})
		}
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// listReceivables prints the totals of every month up to a day.
func (w *world) listReceivables(asOf day, extra bool, yield func([]Cell) error) error {
	asOf = min(asOf, w.today)
	type month struct{ sales, received, onAccount, memos, tips, owed int64 }
	start := w.from.monthStart()
	var months []month
	of := func(d day) *month {
		a, b := start.date(), d.date()
		i := (b.Year-a.Year)*12 + int(b.Month) - int(a.Month)
		for len(months) <= i {
			months = append(months, month{})
		}
		return &months[i]
	}
	if asOf < start {
		return nil
	}
	of(asOf)
	var lines []saleLine
	for i := range w.parts {
		p := &w.parts[i]
		if p.prepay {
			continue // a courtesy claim is paid already
		}
		lines = w.linesOf(lines[:0], p)
		for n := range lines {
			if line := &lines[n]; line.issued <= asOf {
				m := of(line.issued)
				m.sales += line.total
				m.owed += line.total
			}
		}
	}
	for i := range w.payments {
		if p := &w.payments[i]; p.on <= asOf && p.kind != bankFee {
			m := of(p.on)
			m.received += p.cents
			m.tips += p.tip
			m.onAccount += p.cents - p.tip
		}
	}
	for i := range w.applied {
		if a := &w.applied[i]; a.on <= asOf {
			m := of(a.on)
			m.onAccount -= a.cents
			m.owed -= a.cents
		}
	}
	for i := range w.adjustments {
		if a := &w.adjustments[i]; a.on <= asOf {
			m := of(a.on)
			m.memos += a.cents
			m.owed -= a.cents
		}
	}
	row := make([]Cell, 0, len(receivableHeaders)+1)
	first := start
	var owed, onAccount int64
	for _, m := range months {
		row = append(row[:0],
			onDay(first), onDay(min(first.nextMonth()-1, asOf)), cents(owed), cents(m.sales), cents(m.received), cents(onAccount),
			cents(onAccount+m.onAccount), cents(m.memos), cents(m.tips), cents(owed+m.owed))
		if extra {
			row = append(row, number(int64(len(months))))
		}
		if err := yield(row); err != nil {
			return err
		}
		owed, onAccount, first = owed+m.owed, onAccount+m.onAccount, first.nextMonth()
	}
	return nil
}
