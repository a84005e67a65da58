package simclinic

// How often things go wrong at the front desk and for whom.
const (
	oddsMoved        = 0.06
	oddsCalledOff    = 0.06
	oddsCalledLate   = 0.06
	oddsNotComing    = 0.06
	oddsChangedMind  = 0.3 // of those who called off in time
	oddsNotClosed    = 0.032
	oddsClosedNext   = 0.04
	oddsArrivedWrong = 0.03
	oddsSecondToday  = 0.4 // of the visits of people who come twice on some days
	mendsClosing     = 0.4
)

// course lives one booking: moved, called off in time or late, not kept, or kept. It says what became of it and when the
// person next has to do with the desk. A walk-in has no time to change their mind, and the desk marks it at once.
func (l *life) course(a int32, walkIn bool) (outcome, moment) {
	w := l.w
	it := &w.appointments[a]
	if !walkIn {
		x := l.Float64() / l.careful
		switch {
		case x < oddsMoved:
			if how, at, done := l.move(a); done {
				return how, at
			}
		case x < oddsMoved+oddsCalledOff:
			if how, at, done := l.callOff(a); done {
				return how, at
			}
		case x < oddsMoved+oddsCalledOff+oddsCalledLate:
			return l.callLate(a)
		case x < oddsMoved+oddsCalledOff+oddsCalledLate+oddsNotComing:
			return l.stayAway(a)
		}
	}
	return l.come(a, walkIn), it.end.plus(5)
}

// move puts the booking to another day; the row stays as rescheduled.
func (l *life) move(a int32) (outcome, moment, bool) {
	w := l.w
	it := &w.appointments[a]
	if it.start-it.booked < 6*3600 {
		return came, 0, false
	}
	at := w.momentIn(l.luck, it.booked, it.start-2*3600)
	if !w.happened(at) {
		return ahead, 0, true
	}
	it.state = rescheduled
	l.freeUp(a)
	return moved, at, true
}

// freeUp gives the time back to the schedule.
func (l *life) freeUp(a int32) {
	it := &l.w.appointments[a]
	d, seconds := l.w.calendar.wall(it.start)
	l.w.schedule.release(int(it.staff), d, seconds/60, int(it.end-it.start)/60)
}

func (l *life) disciplineOf(a int32) int {
	return l.w.premises.items[l.w.appointments[a].item].discipline
}

// callOff cancels with the notice that the clinic asks for; some people change their mind back.
func (l *life) callOff(a int32) (outcome, moment, bool) {
	w := l.w
	it := &w.appointments[a]
	latest := it.start - moment(w.premises.noticeFor(l.disciplineOf(a), w.serviceDay(a)))*3600
	if latest-it.booked < 2*3600 {
		return came, 0, false
	}
	at := latest // to the minute, and still in time
	if !l.chance(0.3) {
		at = w.momentIn(l.luck, it.booked, latest)
	}
	if !w.happened(at) {
		return ahead, 0, true
	}
	it.state, it.cancelled = cancelled, at
	l.giveReason(it)
	if l.chance(oddsChangedMind) {
		// The desk undoes the cancellation; the stamp and the reason may stay behind.
		if back := at + moment(l.between(600, 20_000)); back < it.start && w.happened(back) {
			it.state = booked
			if l.chance(0.25) {
				it.cancelled, it.reason = 0, none
			}
			return came, 0, false
		}
	}
	l.freeUp(a)
	return calledOff, at, true
}

func (l *life) giveReason(it *appointment) {
	it.reason = int8(l.IntN(len(reasons)))
	if l.chance(0.15) {
		it.reason = int8(len(reasons)) // in their own words
	}
}

// callLate cancels inside the notice, at worst after the visit should have begun.
func (l *life) callLate(a int32) (outcome, moment) {
	w := l.w
	it := &w.appointments[a]
	inside := it.start - moment(w.premises.noticeFor(l.disciplineOf(a), w.serviceDay(a)))*3600
	at := w.momentIn(l.luck, max(inside, it.booked), it.start)
	if l.chance(0.1) && inside > it.booked {
		at = inside + 60 // a minute too late
	} else if l.chance(0.1) {
		at = it.start.plus(l.between(1, 120))
	}
	if !w.happened(at) {
		return ahead, 0
	}
	it.state, it.cancelled = cancelled, at
	l.giveReason(it)
	l.missed(a, lateCancel, max(w.calendar.dayOf(at), w.serviceDay(a)))
	return calledOff, at
}

// stayAway does not come. The desk marks it, unless it forgets to.
func (l *life) stayAway(a int32) (outcome, moment) {
	w := l.w
	it := &w.appointments[a]
	on := w.serviceDay(a)
	if on > w.today {
		return ahead, 0
	}
	next := w.officeTime(l.luck, on+1)
	marked := on
	if l.chance(oddsNotClosed) {
		slip := w.forgetClosing(a, 1)
		mended := on + l.days(2, 14)
		if !l.chance(mendsClosing) || mended > w.today {
			return didNotCome, next
		}
		w.slips[slip].repaired = true
		marked = mended
		if l.chance(0.3) {
			// Closed the wrong way: as a cancellation, days after the visit.
			it.state, it.cancelled = cancelled, w.officeTime(l.luck, mended)
			l.giveReason(it)
			l.missed(a, lateCancel, mended)
			return didNotCome, next
		}
	} else if l.chance(oddsArrivedWrong) {
		it.arrived = it.start.plus(3) // marked arrived first, then taken back
	}
	it.state = missed
	l.missed(a, noShow, marked)
	return didNotCome, next
}

// forgetClosing notes that the desk left a booking as it was.
func (w *world) forgetClosing(a int32, seats int64) int {
	it := &w.appointments[a]
	return w.forget(slip{
		kind: visitNotClosed, appointment: a, part: none, basis: w.calendar.dayOf(it.end),
		cents: seats * w.premises.expected(int(it.item), int(it.place), w.serviceDay(a)),
	})
}

// come is a kept booking: the desk marks it arrived, on the spot, the day after, or not, and it is charged.
func (l *life) come(a int32, walkIn bool) outcome {
	w := l.w
	it := &w.appointments[a]
	on := w.serviceDay(a)
	if on > w.today {
		return ahead
	}
	l.seen = true
	sure := walkIn || l.prompt == never
	switch {
	case !sure && l.chance(oddsArrivedWrong):
		// Marked arrived, taken back by mistake, and never looked at again. The stamp may stay.
		w.forgetClosing(a, 1)
		if l.chance(0.6) {
			it.arrived = it.start.plus(-4)
		}
		return came
	case !sure && l.chance(oddsNotClosed):
		slip := w.forgetClosing(a, 1)
		mended := on + l.days(2, 14)
		if l.billsInOrder() || !l.chance(mendsClosing) || mended > w.today {
			return came
		}
		w.slips[slip].repaired = true
		it.state, it.arrived = arrived, w.officeTime(l.luck, mended)
		l.checkOut(a, mended)
		return came
	case !sure && l.chance(oddsClosedNext):
		if on+1 > w.today {
			return came // the desk will do it tomorrow
		}
		it.state, it.arrived = arrived, w.officeTime(l.luck, on+1)
		l.checkOut(a, on+1)
		return came
	}
	l.arrive(a)
	if l.prompt == never {
		l.prompt = on
	}
	if second, ok := l.bookSecond(a, on); ok {
		l.checkOutTwo(a, second, on)
		return came
	}
	l.checkOut(a, on)
	return came
}

// arrive marks a booking arrived when the person stands at the desk.
func (l *life) arrive(a int32) {
	it := &l.w.appointments[a]
	it.state = arrived
	it.arrived = max(it.start.plus(l.between(-12, 6)), it.booked+60)
}

// bookSecond books and keeps a second visit on the same day with the same practitioner for the same thing.
func (l *life) bookSecond(a int32, on day) (int32, bool) {
	if !l.person.twice || !l.chance(oddsSecondToday) {
		return none, false
	}
	w := l.w
	first := w.appointments[a]
	length := w.premises.items[first.item].minutes
	_, seconds := w.calendar.wall(first.end)
	minute, place, ok := w.schedule.find(int(first.staff), on, seconds/60+45, seconds/60+150, length)
	if !ok {
		return none, false
	}
	w.schedule.take(int(first.staff), on, minute, length)
	start := w.calendar.at(on, minute)
	second := l.enter(appointment{
		start: start, end: start.plus(length), booked: first.booked, person: l.id, group: none,
		item: first.item, staff: first.staff, place: int8(place), reason: none,
	})
	l.arrive(second)
	return second, true
}

// missed settles a visit that was not kept: the fee is charged, waived, or forgotten. decided is the day on which the
// desk knew.
func (l *life) missed(a int32, kind missKind, decided day) {
	w := l.w
	it := &w.appointments[a]
	on := w.serviceDay(a)
	policy, ok := w.premises.policyFor(kind, l.disciplineOf(a), on)
	if !ok || policy.cents == 0 {
		return
	}
	amount := w.premises.gross(policy.cents, w.feeTaxed)
	charged := decided
	if decided <= on {
		charged = on + l.days(0, 1)
	}
	x := l.Float64()
	if x < 0.45 {
		what := noShowFee
		if kind == lateCancel {
			what = lateCancelFee
		}
		slip := w.forget(slip{kind: what, appointment: a, part: none, basis: on, cents: amount})
		charged = max(decided, on) + l.days(2, 21)
		if !l.chance(0.3) || charged > w.today {
			return
		}
		w.slips[slip].repaired = true
		x = 0.45 + 0.55*l.Float64()
	}
	if charged > w.today {
		return
	}
	if x < 0.62 {
		amount = 0 // waived
	}
	inv := l.open(invoice{
		appointment: a, person: l.id, staff: it.staff, item: it.item, place: it.place, category: missFee, fee: kind,
		service: on, created: charged,
	})
	p := l.addPart(inv, part{side: toPatient, insurer: none, issued: charged, total: amount})
	l.settle(p, charged)
}
