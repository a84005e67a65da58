package simclinic

import "math"

// item is a bookable treatment of this clinic.
type item struct {
	treatment
	// discipline is the place in premises.specialities.
	discipline int
}

// price is what an item costs, net of tax, over a range of days at one place or, with place -1, at all.
type price struct {
	item     int
	place    int
	cents    int64
	from, to day // both included; to may be never
}

// missKind is a way of missing a visit that may cost a fee.
type missKind uint8

const (
	noShow missKind = iota
	lateCancel
)

// fee is the clinic's policy for one kind of missed visit over a range of days, for one discipline or, with -1, for all.
type fee struct {
	kind       missKind
	cents      int64
	notice     int // hours; lateCancel only
	discipline int
	from, to   day
}

// premises is what the clinic is: what it offers where at what price, who works there, what it charges for missed visits.
type premises struct {
	places       []string
	specialities []speciality
	items        []item
	classItem    int
	staff        []practitioner
	prices       []price
	byItem       [][]price
	fees         []fee
	taxRate      int64 // ten thousandths
}

func (p *premises) itemNamed(name string) int {
	for i, known := range p.items {
		if known.name == name {
			return i
		}
	}
	return -1
}

// newPremises opens a clinic. The dials are valid and completed.
func newPremises(d Dials) *premises {
	r := newLuck(d.Seed, streamClinic)
	home := countries[d.Country]
	rate, _ := d.Tax.tenThousandths()
	p := &premises{places: placeNames[:d.Locations], specialities: catalogue[:d.Disciplines], taxRate: rate}
	add := func(t treatment, discipline int) {
		if p.itemNamed(t.name) >= 0 {
			return
		}
		t.cents = (t.cents*home.priceShare/100 + 25) / 50 * 50
		t.taxable = t.taxable && home.taxesCare
		p.items = append(p.items, item{t, discipline})
	}
	for i, s := range p.specialities {
		add(s.first, i)
		add(s.usual, i)
		add(s.short, i)
	}
	add(class, 0)
	p.classItem = p.itemNamed(class.name)
	p.setPrices(r, d)
	p.setFees(d, home)
	for i := range d.Practitioners {
		p.staff = append(p.staff, newPractitioner(r, i, d))
	}
	return p
}

// setPrices raises every price once, on a day of its own at the second place, which also costs more.
func (p *premises) setPrices(r luck, d Dials) {
	from, to := dayOf(d.From), dayOf(d.To)
	raise := from + day(float64(to-from)*0.45)
	p.byItem = make([][]price, len(p.items))
	add := func(entry price) {
		p.prices = append(p.prices, entry)
		p.byItem[entry.item] = append(p.byItem[entry.item], entry)
	}
	for i, it := range p.items {
		raised := it.cents + int64(r.between(4, 16))*50
		add(price{i, -1, it.cents, from, raise - 1})
		add(price{i, -1, raised, raise, never})
		if len(p.places) > 1 && it.name == p.specialities[it.discipline].usual.name {
			dearer := it.cents + int64(r.between(6, 20))*50
			moved := raise + r.days(20, 60)
			// From `moved` on the second place goes by the clinic's common list again.
			add(price{i, 1, dearer, from, moved - 1})
		}
	}
}

// setFees follows the FeePolicy dial.
func (p *premises) setFees(d Dials, home country) {
	from, to := dayOf(d.From), dayOf(d.To)
	at := func(share float64) day { return from + day(float64(to-from)*share) }
	scaled := func(cents int64) int64 { return (cents*home.priceShare/100 + 250) / 500 * 500 }
	last := len(p.specialities) - 1
	switch d.FeePolicy {
	case FeesFlat:
		p.fees = []fee{
			{noShow, scaled(50_00), 0, -1, from, never},
			{lateCancel, scaled(40_00), 24, -1, from, never},
		}
	case FeesNone:
	default:
		p.fees = []fee{
			{noShow, scaled(50_00), 0, -1, at(0.11), at(0.32) - 1},
			{noShow, 0, 0, -1, at(0.32), at(0.50) - 1},
			{noShow, scaled(60_00), 0, -1, at(0.50), never},
			{noShow, scaled(75_00) + 50, 0, last, at(0.60), never},
			{lateCancel, scaled(40_00), 24, -1, from, at(0.5) - 1},
			{lateCancel, scaled(45_00), 48, -1, at(0.5), never},
		}
	}
}

// gross adds the tax, rounded half up to the cent.
func (p *premises) gross(net int64, taxable bool) int64 {
	if !taxable {
		return net
	}
	return net + (net*p.taxRate+5_000)/10_000
}

// listPrice is the net price of an item on a day: the place's own price before the common one, the newer before the older.
func (p *premises) listPrice(item, place int, on day) int64 {
	cents, own, since := int64(0), false, day(math.MinInt32)
	for _, entry := range p.byItem[item] {
		if on < entry.from || on > entry.to || entry.place >= 0 && entry.place != place {
			continue
		}
		if isOwn := entry.place >= 0; isOwn && !own || isOwn == own && entry.from > since {
			cents, own, since = entry.cents, isOwn, entry.from
		}
	}
	return cents
}

// expected is what a visit should bring, tax included.
func (p *premises) expected(item, place int, on day) int64 {
	return p.gross(p.listPrice(item, place, on), p.items[item].taxable)
}

// feeTaxed says whether fees carry the tax: where care does, fees do.
func (p *premises) feeTaxed(d Dials) bool { return countries[d.Country].taxesCare }

// policyFor is the fee policy of a day for a discipline, the discipline's own before the common one; ok is false where
// there is none.
func (p *premises) policyFor(kind missKind, discipline int, on day) (policy fee, ok bool) {
	for _, f := range p.fees {
		if f.kind != kind || on < f.from || on > f.to || f.discipline >= 0 && f.discipline != discipline {
			continue
		}
		if !ok || f.discipline >= 0 && policy.discipline < 0 {
			policy, ok = f, true
		}
	}
	return policy, ok
}

// noticeFor is the notice, in hours, that people are told to give when they cancel.
func (p *premises) noticeFor(discipline int, on day) int {
	if policy, ok := p.policyFor(lateCancel, discipline, on); ok {
		return policy.notice
	}
	return 24
}
