package simclinic

// How often the biller slips.
const (
	oddsNotCharged   = 0.034
	mendsCharging    = 0.4
	oddsNotCollected = 0.13
	oddsPolicySeen   = 0.3 // that the biller sees that a policy has ended or is full
)

// billsInOrder says that this person's insurer pays a limited number of visits or sum, so that the order of billing
// matters. The biller keeps such files apart and bills them at once or not at all.
func (l *life) billsInOrder() bool {
	return l.person.cover == limitedVisits || l.person.cover == limitedMoney
}

// checkOut charges for a visit on a day, or forgets to.
func (l *life) checkOut(a int32, on day) {
	w := l.w
	if l.chance(oddsNotCharged) {
		late := on + l.days(2, 15)
		slip := l.forgetCharge(a)
		if l.billsInOrder() || !l.chance(mendsCharging) || late > w.today {
			return
		}
		w.slips[slip].repaired = true
		on = late
	}
	l.charge(a, on)
}

// forgetCharge notes that a visit was not charged.
func (l *life) forgetCharge(a int32) int {
	w := l.w
	it := &w.appointments[a]
	on := w.serviceDay(a)
	return w.forget(slip{
		kind: arrivedNoCharge, appointment: a, part: none, basis: on,
		cents: w.premises.expected(int(it.item), int(it.place), on),
	})
}

// checkOutTwo charges for two visits of one day that look alike. A biller who charges only one has forgotten the later:
// the desk charges people as they come in.
func (l *life) checkOutTwo(first, second int32, on day) {
	x := l.Float64()
	if x < 0.05 {
		l.forgetCharge(first)
		l.forgetCharge(second)
		return
	}
	l.charge(first, on)
	if x < 0.45 {
		l.charge(second, on)
		return
	}
	slip := l.forgetCharge(second)
	if late := on + l.days(2, 15); x < 0.60 && late <= l.w.today {
		l.w.slips[slip].repaired = true
		l.charge(second, late)
	}
}

// open opens an invoice and returns its place.
func (l *life) open(inv invoice) int32 {
	inv.patient, inv.insurer = none, [2]int32{none, none}
	l.w.invoices = append(l.w.invoices, inv)
	return int32(len(l.w.invoices) - 1)
}

// addPart addresses a part of an invoice to a payer.
func (l *life) addPart(inv int32, p part) int32 {
	w := l.w
	p.invoice, p.product = inv, none
	if p.side == toPatient {
		p.policy = none
	}
	p.hasDetail = l.chance(0.1)
	p.claimsOld = l.chance(0.5)
	if p.sequence == 0 {
		p.sequence = 1
	}
	w.parts = append(w.parts, p)
	place := int32(len(w.parts) - 1)
	switch to := &w.invoices[inv]; {
	case p.side == toPatient:
		to.patient = place
	case to.insurer[0] == none:
		to.insurer[0] = place
	default:
		to.insurer[1] = place
	}
	return place
}

// charge bills a visit: a pass, the patient, one insurer or two.
func (l *life) charge(a int32, on day) {
	w := l.w
	it := &w.appointments[a]
	service := w.serviceDay(a)
	inv := l.open(invoice{
		appointment: a, person: l.id, staff: it.staff, item: it.item, place: it.place, category: care,
		service: service, created: on,
	})
	price := w.premises.expected(int(it.item), int(it.place), service)
	inGroup := it.group != none
	switch {
	case inGroup || l.person.cover == selfPay:
		l.billPatient(inv, price, on)
	case l.person.cover == passes:
		l.usePass(inv, price, on)
	case l.person.cover == prePay:
		l.billAhead(inv, price, on)
	case l.person.cover == dual:
		l.billTwo(inv, price, on)
	default:
		l.billInsurer(inv, price, on)
	}
}

// billPatient addresses an amount to the patient, now and then with something bought at the desk.
func (l *life) billPatient(inv int32, amount int64, on day) {
	p := l.addPart(inv, part{side: toPatient, insurer: none, issued: on, total: amount})
	if l.chance(0.05) {
		l.sellProduct(p)
	}
	l.settle(p, on)
	l.renumberLater(p)
}

func (l *life) sellProduct(p int32) {
	w := l.w
	it := &w.parts[p]
	it.product = int8(l.IntN(len(products)))
	net := (products[it.product].cents*countries[w.dials.Country].priceShare/100 + 25) / 50 * 50
	it.productCents = w.premises.gross(net, true)
	it.total += it.productCents
}

// usePass takes a prepaid visit; who has none left buys a package first, or pays for the visit.
func (l *life) usePass(inv int32, price int64, on day) {
	w := l.w
	if l.left == 0 {
		if l.chance(0.25) {
			l.billPatient(inv, price, on)
			return
		}
		bought := w.invoices[inv]
		bought.appointment, bought.category, bought.service, bought.created = none, passSale, on, on
		bought.passes = int8([]int{5, 10}[l.IntN(2)])
		l.left = int(bought.passes)
		sale := l.open(bought)
		l.settle(l.addPart(sale, part{side: toPatient, insurer: none, issued: on, total: price * int64(bought.passes) * 9 / 10}), on)
	}
	l.left--
	w.invoices[inv].category = passUse
	l.addPart(inv, part{side: toPatient, insurer: none, issued: on})
}

// billAhead is Patient Pre-Pay: the patient pays everything at the desk, and the insurer's part is a courtesy claim.
func (l *life) billAhead(inv int32, price int64, on day) {
	w := l.w
	w.policies[l.person.policies[0]].used++
	p := l.addPart(inv, part{side: toPatient, insurer: none, issued: on, total: price})
	w.receive(p, price, on)
	l.renumberLater(p)
	c := l.addPart(inv, part{
		side: toInsurer, insurer: l.person.insurer[0], policy: l.person.policies[0], issued: on, total: price, prepay: true,
	})
	row := claim{part: c, folder: unsubmitted, submitted: never, answered: never, claimed: price, approved: none}
	if l.chance(0.7) && on+1 <= w.today {
		row.folder, row.submitted = submitted, on+l.days(0, 1)
		if reply := row.submitted + l.days(4, 30); l.chance(0.6) && reply <= w.today {
			row.answered = reply
			row.folder, row.approved = approved, price*8/10
			if l.chance(0.2) {
				row.folder, row.approved = rejected, 0
			}
		}
	}
	w.claims = append(w.claims, row)
}

// billInsurer bills the insurer's share to the insurer and the rest to the patient. A policy that has ended or is full
// pays nothing: the biller sees that and bills the patient, or does not.
func (l *life) billInsurer(inv int32, price int64, on day) {
	w := l.w
	insured := price
	if l.person.cover != whole {
		insured = (price*80 + 50) / 100
	}
	service := w.invoices[inv].service
	held := l.policyFor(service)
	wrong, isWrong := l.refusal(held, service, insured)
	if isWrong {
		if l.noticed || l.chance(oddsPolicySeen) {
			// A sum may still hold a smaller visit; an end and a full count are for good.
			l.noticed = wrong == afterPolicyEnd || l.person.cover == limitedVisits
			l.billPatient(inv, price, on)
			return
		}
	}
	if held != none {
		w.policies[held].used++
		w.policies[held].billed += insured
	}
	c := l.addPart(inv, part{side: toInsurer, insurer: l.person.insurer[0], policy: held, issued: on, total: insured})
	if isWrong {
		w.forget(slip{kind: wrong, appointment: none, part: c, basis: service})
	}
	if insured < price || l.chance(0.05) {
		p := l.addPart(inv, part{side: toPatient, insurer: none, issued: on, total: price - insured})
		if insured == price || l.chance(0.05) {
			l.sellProduct(p)
		}
		l.settle(p, on)
	}
	l.pursue(c, on, isWrong)
	l.renumberLater(c)
}

// policyFor is the policy that a visit is billed to, or none.
func (l *life) policyFor(service day) int32 {
	newer, older := l.person.policies[0], l.person.policies[1]
	if l.person.cover == twoPolicies && older != none && service <= l.w.policies[older].ends {
		return older
	}
	return newer
}

// refusal says why a policy will not pay for a visit, if it will not.
func (l *life) refusal(held int32, service day, insured int64) (slipKind, bool) {
	if held == none {
		return 0, false
	}
	p := &l.w.policies[held]
	switch {
	case p.ends < service:
		return afterPolicyEnd, true
	case p.most > 0 && p.before+p.used+1 > p.most, p.ceiling > 0 && p.billed+insured > p.ceiling:
		return overPolicyMaximum, true
	default:
		return 0, false
	}
}
