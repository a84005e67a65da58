package simclinic

import (
	"cmp"
	"slices"
)

// receipt is money that settled so much of a part on a day. The behaviour model writes them down as they happen; payments are
// made of them afterwards, so that what the transactions report prints is what the sales report shows as collected.
type receipt struct {
	part  int32
	on    day
	cents int64
}

// receive takes money in for a part.
func (w *world) receive(place int32, cents int64, on day) {
	w.parts[place].collected += cents
	if cents != 0 {
		w.receipts = append(w.receipts, receipt{place, on, cents})
	}
}

// paymentKind is what a transaction is, as its Type prints it.
type paymentKind uint8

const (
	paidIn paymentKind = iota
	refundOut
	bounced
	bankFee
)

var paymentKinds = [...]string{"Payment", "Refund", "Bounce", "Fee"}

// methods of payment, as the reports print them.
var paymentMethods = [...]string{"Visa", "Mastercard", "Debit Card", "Cash", "Cheque", "E-Transfer", "Gift Card", "Insurance Payment", "EFT"}

const (
	byVisa = iota
	byMastercard
	byDebit
	byCash
	byCheque
	byTransfer
	byGift
	byInsurer
	byEFT
)

// payment is one row of the transactions report.
type payment struct {
	kind    paymentKind
	method  int8
	insurer int8  // or none
	person  int32 // or none
	number  int64
	on      day
	settled day // processed; never where the report does not say
	cents   int64
	tip     int64
	// reached is what came to the clinic's account.
	reached int64
	hasNote bool
}

// application is a share of a payment that pays a version of a part, or is taken off it.
type application struct {
	payment int32
	part    int32
	// sequence is that of the version; undoes says that it is the line which takes that version back.
	sequence uint8
	undoes   bool
	on       day
	cents    int64
}

// adjustmentKind is why an invoice was made smaller without money, as its Adjustment Type prints it.
type adjustmentKind uint8

const (
	creditMemo adjustmentKind = iota
	contractual
	writtenOff
)

var adjustmentKinds = [...]string{"Credit memo", "Contractual reduction", "Write-off"}

// adjustment makes a part smaller.
type adjustment struct {
	part      int32
	kind      adjustmentKind
	on        day
	cents     int64
	hasReason bool
}

// How often money goes other ways than from a payer to an invoice, and how often somebody gives up on it.
const (
	oddsTip       = 0.02
	oddsOnAccount = 0.025 // pays more than is owed, and the rest stands on account
	oddsUsesIt    = 0.5   // of who has something on account, that the next visit is paid from it
	oddsPaidBack  = 0.3   // of what stands on account
	oddsBounces   = 0.2   // of cheques
	oddsGoodwill  = 0.006 // a paid visit is made cheaper afterwards, and the difference paid back
	oddsMemo      = 0.05  // of what a patient owes
	oddsGivenUp   = 0.06  // of what nobody paid for five months
	oddsConceded  = 0.15  // of what an insurer left open

	bankFeeCents    = 700
	cardFeePerMille = 27
	daysToGivingUp  = 150
	daysToConceding = 60
	daysToMemo      = 40 // within which a credit memo is written
)

// keepMoney turns what came in into payments, and gives up on some of what did not. It throws dice of its own: what people
// did does not hang on it.
func (w *world) keepMoney() {
	w.makeSmaller()
	slices.SortStableFunc(w.receipts, func(a, b receipt) int { return cmp.Compare(a.on, b.on) })
	w.checkReversals()
	books := cashbook{w: w, onAccount: map[int32][]balance{}, lastTaken: map[int32]int64{}}
	for first := 0; first < len(w.receipts); {
		next := first
		for next < len(w.receipts) && w.receipts[next].on == w.receipts[first].on {
			next++
		}
		books.day(w.receipts[first:next])
		first = next
	}
	books.payBack()
	w.numberPayments()
}

// makeSmaller writes credit memos, concedes contractual reductions, and writes off.
func (w *world) makeSmaller() {
	for i := range w.parts {
		p := &w.parts[i]
		inv := &w.invoices[p.invoice]
		if p.gone || p.prepay || w.people[inv.person].cover == dual {
			continue
		}
		l := newLuck(w.dials.Seed, streamAdjustments+uint64(i))
		adjust := func(kind adjustmentKind, on day, cents int64) {
			if on <= w.today && cents > 0 {
				w.adjustments = append(w.adjustments, adjustment{int32(i), kind, on, cents, l.chance(0.8)})
				p.adjusted += cents
			}
		}
		open := p.balance()
		switch {
		case open > 0 && w.today-p.issued > daysToGivingUp && l.chance(oddsGivenUp):
			adjust(writtenOff, max(p.issued+daysToGivingUp, w.lastReceipt(int32(i)))+l.days(0, 60), open)
		case open > 0 && p.side == toInsurer && p.collected > 0 && w.today-p.issued > daysToConceding && l.chance(oddsConceded):
			adjust(contractual, max(p.issued+daysToConceding, w.lastReceipt(int32(i)))+l.days(0, 30), open)
		case open > 0 && p.side == toPatient && l.chance(oddsMemo):
			adjust(creditMemo, p.issued+l.days(1, daysToMemo), open*int64(l.between(20, 60))/100)
		case p.side == toPatient && p.total > 0 && p.collected == p.total && p.product == none && p.reversed == 0 && inv.category == care && l.chance(oddsGoodwill):
			back := p.total * int64(l.between(10, 50)) / 100
			on := max(p.issued, w.lastReceipt(int32(i))) + l.days(1, daysToMemo)
			adjust(creditMemo, on, back)
			if on <= w.today {
				w.receive(int32(i), -back, on)
			}
		}
	}
	slices.SortStableFunc(w.adjustments, func(a, b adjustment) int { return cmp.Compare(a.on, b.on) })
}

// lastReceipt is the day on which money last came in for a part, or long ago.
func (w *world) lastReceipt(place int32) day {
	if w.receiptDays == nil {
		w.receiptDays = make(map[int32]day, len(w.parts))
		for _, r := range w.receipts {
			if last, ok := w.receiptDays[r.part]; !ok || r.on > last {
				w.receiptDays[r.part] = r.on
			}
		}
	}
	return w.receiptDays[place]
}

// checkReversals: a version that was taken back before its money came has never been paid.
func (w *world) checkReversals() {
	byThen := make(map[int32]int64)
	for _, r := range w.receipts {
		if p := &w.parts[r.part]; p.reversedPaid && r.on <= p.takenBack {
			byThen[r.part] += r.cents
		}
	}
	for i := range w.parts {
		if p := &w.parts[i]; p.reversedPaid && byThen[int32(i)] < p.reversedTotal {
			p.reversedPaid = false
		}
	}
}

// balance is what of a payment is not applied yet.
type balance struct {
	payment int32
	cents   int64
}

// cashbook makes payments out of receipts, day by day.
type cashbook struct {
	w *world
	// onAccount is what patients have left from earlier payments.
	onAccount map[int32][]balance
	// lastTaken is, by part, how much of the version that was taken back has been paid.
	lastTaken map[int32]int64
}

// day books the receipts of one day: a payment for each patient, one for each insurer.
func (b *cashbook) day(receipts []receipt) {
	w := b.w
	type payer struct {
		person  int32
		insurer int8
		back    bool
	}
	of := func(r receipt) payer {
		p := &w.parts[r.part]
		if p.side == toInsurer {
			return payer{none, p.insurer, r.cents < 0}
		}
		return payer{w.invoices[p.invoice].person, none, r.cents < 0}
	}
	slices.SortStableFunc(receipts, func(x, y receipt) int {
		a, c := of(x), of(y)
		return cmp.Or(cmp.Compare(a.insurer, c.insurer), cmp.Compare(a.person, c.person), cmp.Compare(y.cents, x.cents), cmp.Compare(x.part, y.part))
	})
	for first := 0; first < len(receipts); {
		next := first
		who := of(receipts[first])
		for next < len(receipts) && of(receipts[next]) == who {
			next++
		}
		l := newLuck(w.dials.Seed, streamPayments+uint64(receipts[first].part)*8192+uint64(receipts[first].on-w.from))
		switch {
		case who.back:
			b.refund(l, who.person, receipts[first:next])
		case who.insurer != none:
			b.fromInsurer(l, who.insurer, receipts[first:next])
		default:
			b.fromPerson(l, who.person, receipts[first:next])
		}
		first = next
	}
}

// pay writes a payment down and gives its place.
func (b *cashbook) pay(l luck, p payment) int32 {
	p.reached = p.cents
	if p.kind == paidIn && p.method <= byDebit {
		p.reached -= (p.cents*cardFeePerMille + 500) / 1000
	}
	p.settled = p.on
	if p.method <= byDebit || p.method == byEFT {
		p.settled += l.days(0, 2)
	}
	if p.settled > b.w.today {
		p.settled = never
	}
	p.hasNote = l.chance(0.06)
	b.w.payments = append(b.w.payments, p)
	return int32(len(b.w.payments) - 1)
}

// apply settles so much of a part from a payment: through the version that was taken back, as far as that had been paid, and
// onto the one that stands. Money that came before the standing version was issued waits for it.
func (b *cashbook) apply(payment, place int32, on day, cents int64) {
	w := b.w
	p := &w.parts[place]
	through := int64(0)
	if p.reversedPaid && cents > 0 {
		through = min(cents, p.reversedTotal-b.lastTaken[place])
	}
	if through > 0 {
		b.lastTaken[place] += through
		w.applied = append(w.applied,
			application{payment, place, p.reversed, false, max(on, p.issuedBefore), through},
			application{payment, place, p.reversed, true, p.takenBack, -through})
	}
	w.applied = append(w.applied, application{payment, place, p.sequence, false, max(on, p.issued), cents})
}

func (b *cashbook) fromInsurer(l luck, insurer int8, receipts []receipt) {
	sum := int64(0)
	for _, r := range receipts {
		sum += r.cents
	}
	method := int8(byEFT)
	if l.chance(0.3) {
		method = byInsurer
	}
	at := b.pay(l, payment{kind: paidIn, method: method, insurer: insurer, person: none, on: receipts[0].on, cents: sum})
	for _, r := range receipts {
		b.apply(at, r.part, r.on, r.cents)
	}
}

// methodOf is how a patient pays.
func methodOf(l luck) int8 {
	shares := [...]float64{byVisa: 0.3, byMastercard: 0.2, byDebit: 0.2, byCash: 0.1, byCheque: 0.08, byTransfer: 0.1, byGift: 0.02}
	x := l.Float64()
	for method, share := range shares {
		if x -= share; x < 0 {
			return int8(method)
		}
	}
	return byVisa
}

// fromPerson books what one patient pays on a day: first from what stands on account, if they think of it.
func (b *cashbook) fromPerson(l luck, person int32, receipts []receipt) {
	w := b.w
	on := receipts[0].on
	usesIt := l.chance(oddsUsesIt)
	var rest []receipt
	sum := int64(0)
	for _, r := range receipts {
		for usesIt && r.cents > 0 && len(b.onAccount[person]) > 0 {
			have := &b.onAccount[person][0]
			used := min(have.cents, r.cents)
			b.apply(have.payment, r.part, on, used)
			r.cents -= used
			if have.cents -= used; have.cents == 0 {
				b.onAccount[person] = b.onAccount[person][1:]
			}
		}
		if r.cents > 0 {
			rest = append(rest, r)
			sum += r.cents
		}
	}
	if sum == 0 {
		return
	}
	p := payment{kind: paidIn, method: methodOf(l), insurer: none, person: person, on: on, cents: sum}
	scale := countries[w.dials.Country].priceShare
	extra := int64(0)
	switch {
	case p.method <= byDebit && l.chance(oddsTip):
		p.tip = int64(l.between(2, 10)) * scale
	case p.method != byCheque && l.chance(oddsOnAccount):
		extra = int64(l.between(5, 60)) * scale
	}
	p.cents += p.tip + extra
	at := b.pay(l, p)
	for _, r := range rest {
		b.apply(at, r.part, on, r.cents)
	}
	if extra > 0 {
		b.onAccount[person] = append(b.onAccount[person], balance{at, extra})
	}
	if p.method == byCheque && l.chance(oddsBounces) {
		b.bounce(l, p, rest)
	}
}

// bounce gives a cheque back, and has the patient pay by card instead. A cheque whose replacement would come too late for the
// books holds.
func (b *cashbook) bounce(l luck, cheque payment, receipts []receipt) {
	w := b.w
	back := cheque.on + l.days(4, 9)
	again := back + l.days(3, 12)
	for _, r := range receipts {
		if w.parts[r.part].reversed != 0 {
			return
		}
	}
	if again > w.today {
		return
	}
	returned, repaid := cheque, cheque
	returned.kind, returned.on, returned.cents = bounced, back, -cheque.cents
	repaid.method, repaid.on = byVisa, again
	at := b.pay(l, returned)
	b.pay(l, payment{kind: bankFee, method: byTransfer, insurer: none, person: none, on: back, cents: -bankFeeCents})
	for _, r := range receipts {
		b.apply(at, r.part, back, -r.cents)
	}
	at = b.pay(l, repaid)
	for _, r := range receipts {
		b.apply(at, r.part, again, r.cents)
	}
}

// refund pays back what a part was made smaller by.
func (b *cashbook) refund(l luck, person int32, receipts []receipt) {
	sum := int64(0)
	for _, r := range receipts {
		sum += r.cents
	}
	at := b.pay(l, payment{kind: refundOut, method: byVisa, insurer: none, person: person, on: receipts[0].on, cents: sum})
	for _, r := range receipts {
		b.apply(at, r.part, r.on, r.cents)
	}
}

// payBack returns some of what still stands on account.
func (b *cashbook) payBack() {
	w := b.w
	for person := range int32(len(w.people)) {
		for _, left := range b.onAccount[person] {
			l := newLuck(w.dials.Seed, streamRefunds+uint64(left.payment))
			// It must have stood untouched: nobody pays back what was used later.
			on := max(w.payments[left.payment].on, w.lastUse(left.payment)) + l.days(15, 90)
			if l.chance(oddsPaidBack) && on <= w.today {
				b.pay(l, payment{kind: refundOut, method: w.payments[left.payment].method, insurer: none, person: person, on: on, cents: -left.cents})
			}
		}
	}
}

// lastUse is the last day on which a payment was applied to anything.
func (w *world) lastUse(payment int32) day {
	if w.lastApplied == nil {
		w.lastApplied = make(map[int32]day, len(w.payments))
		for _, a := range w.applied {
			w.lastApplied[a.payment] = max(w.lastApplied[a.payment], a.on)
		}
	}
	return w.lastApplied[payment]
}

// numberPayments puts payments in the order of their days and numbers them.
func (w *world) numberPayments() {
	order := places(len(w.payments))
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(w.payments[i].on, w.payments[j].on), cmp.Compare(i, j))
	})
	sorted, at := make([]payment, len(order)), make([]int32, len(order))
	for rank, i := range order {
		sorted[rank], at[i] = w.payments[i], int32(rank)
		sorted[rank].number = int64(500_001 + rank)
	}
	w.payments = sorted
	for i := range w.applied {
		w.applied[i].payment = at[w.applied[i].payment]
	}
	slices.SortStableFunc(w.applied, func(a, b application) int {
		return cmp.Or(cmp.Compare(a.payment, b.payment), cmp.Compare(a.part, b.part), cmp.Compare(a.on, b.on))
	})
}
