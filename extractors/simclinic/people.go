package simclinic

import (
	"fmt"
	"sort"
)

// cover is how somebody's care is paid for.
type cover uint8

const (
	selfPay        cover = iota
	passes               // buys packages
	shared               // an insurer pays a share, the patient the rest
	sharedUnlisted       // the same, with no policy on file
	limitedVisits        // a policy with Max Treatments
	limitedMoney         // a policy with a Policy Maximum
	ending               // a policy that ends while care goes on
	twoPolicies          // an old and a new policy with one insurer
	whole                // the insurer pays everything
	prePay               // the patient pays, the insurer pays the patient
	dual                 // two insurers
	covers
)

// coverShares is how many people of ten thousand have which cover.
var coverShares = [covers]int{1800, 1000, 1550, 300, 850, 800, 1500, 400, 500, 500, 800}

// person is a patient.
type person struct {
	guid  string
	first string
	nick  string
	last  string
	plain string // the last name's plain part
	payer string // another person who pays the bills, or empty
	cover cover
	// joins is the day of the first wish for a visit; known were patients before the history began.
	joins day
	known bool
	// discharged is the day on which care was declared finished, never where it was not.
	discharged day
	twice      bool // comes twice on some days
	insurer    [2]int8
	// policies are the places of this person's policies in books, none where there is none.
	policies [2]int32
}

// newPeople decides who there is. Shares come from shuffled decks rather than from throws, so that they hold in every
// clinic whatever the seed.
func (w *world) newPeople() {
	n := w.dials.Patients
	w.people = make([]person, n)
	decks := newLuck(w.dials.Seed, streamDecks)
	var order []cover
	upTo := 0
	for kind, share := range coverShares {
		upTo += share
		for len(order) < n*upTo/10_000 {
			order = append(order, cover(kind))
		}
	}
	for len(order) < n {
		order = append(order, selfPay)
	}
	decks.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	deck := func() []int { return decks.Perm(n) }
	known, twice, payers, nicks, joins := deck(), deck(), deck(), deck(), w.joinDays()
	shareOf := func(deck []int, i int) float64 { return (float64(deck[i]) + 0.5) / float64(n) }
	guids := newLuck(w.dials.Seed, streamGUIDs)
	unlisted := 0
	for i := range w.people {
		p := &w.people[i]
		p.guid = newGUID(guids)
		p.first = w.tokens.of(firstNames, i)
		p.last, p.plain = w.tokens.surname(i)
		if shareOf(nicks, i) < 0.3 {
			p.nick = w.tokens.of(nicknames, i)
		}
		if shareOf(payers, i) < 0.08 {
			p.payer = w.tokens.of(otherNames, i) + " " + p.last
		}
		p.cover = order[i]
		p.joins = joins[i]
		p.discharged = never
		if shareOf(known, i) < 0.2 {
			p.known = true
			p.joins = w.from + decks.days(0, 20)
		}
		p.twice = shareOf(twice, i) < 0.55 && (p.cover == selfPay || p.cover == shared)
		p.policies = [2]int32{none, none}
		w.insure(decks, int32(i), &unlisted)
	}
}

// joinDays spreads first visits over the history in waves: winter and autumn are busy, summer is not, and now and then a
// campaign brings people.
func (w *world) joinDays() []day {
	r := newLuck(w.dials.Seed, streamWaves)
	span := int(w.today-w.from) + 1
	var campaigns []int
	for range 1 + span/240 {
		campaigns = append(campaigns, r.IntN(span))
	}
	monthly := [12]float64{1.4, 1.2, 1.1, 1, 1, 0.9, 0.6, 0.6, 1.4, 1.3, 1.1, 0.6}
	sums := make([]float64, span)
	total := 0.0
	for i := range sums {
		weight := monthly[(w.from+day(i)).date().Month-1]
		for _, campaign := range campaigns {
			if i >= campaign && i < campaign+21 {
				weight += 1.6
			}
		}
		// The last weeks bring fewer who will be seen before the report date; the first weeks are for known patients.
		total += weight
		sums[i] = total
	}
	joins := make([]day, w.dials.Patients)
	for i := range joins {
		joins[i] = w.from + day(sort.SearchFloat64s(sums, r.Float64()*total))
	}
	return joins
}

// insure gives somebody insurers and policies according to their cover.
func (w *world) insure(r luck, i int32, unlisted *int) {
	p := &w.people[i]
	p.insurer = [2]int8{none, none}
	if p.cover == selfPay || p.cover == passes {
		return
	}
	first := r.IntN(workersCover)
	if p.cover == whole {
		first = workersCover
	}
	if p.cover == shared && *unlisted < 2 {
		// Two people are with an insurer that clinic.yaml does not list.
		*unlisted++
		first = len(insurerNames)
	}
	p.insurer[0] = int8(first)
	plain := policy{person: i, insurer: int8(first), ends: never, status: "Open", adjuster: r.chance(0.5), hasNote: r.chance(0.3)}
	switch p.cover {
	case shared, whole:
		if r.chance(0.4) {
			// An End Date that no visit reaches.
			plain.ends = w.today + r.days(185, 700)
		}
		plain.countBlank = r.chance(0.3)
	case limitedVisits:
		plain.before = []int{0, 0, 3, 8}[r.IntN(4)]
		plain.most = plain.before + r.between(2, 5)
		plain.countBlank = plain.before == 0 && r.chance(0.3)
	case limitedMoney:
		plain.ceiling = int64(r.between(5, 12)) * 50_00 * countries[w.dials.Country].priceShare / 100
	case ending:
		plain.ends = p.joins + r.days(3, 30)
		if r.chance(0.3) {
			plain.status = "Awaiting Review"
		}
	case twoPolicies:
		old := plain
		old.ends = p.joins + r.days(10, 60)
		old.status = "Closed"
		p.policies[1] = w.addPolicy(old)
		if r.chance(0.4) {
			plain.ends = old.ends + r.days(20, 90)
		}
	case prePay:
		if r.chance(0.5) {
			// A courtesy claim after the policy's end is nobody's loss.
			plain.ends = p.joins + r.days(5, 60)
		}
	case dual:
		second := plain
		second.insurer = int8((first + 1 + r.IntN(workersCover-1)) % workersCover)
		p.insurer[1] = second.insurer
		p.policies[1] = w.addPolicy(second)
	case sharedUnlisted:
		return
	}
	p.policies[0] = w.addPolicy(plain)
	if q := &w.policies[p.policies[0]]; q.ends <= w.today && r.chance(0.6) {
		q.status = "Closed"
	}
}

func (w *world) addPolicy(p policy) int32 {
	w.policies = append(w.policies, p)
	return int32(len(w.policies) - 1)
}

// insurerName is an insurer as every report prints it.
func insurerName(i int8) string {
	if int(i) == len(insurerNames) {
		return unlistedInsurer
	}
	return insurerNames[i]
}

// newGUID is a random GUID of version 4.
func newGUID(r luck) string {
	hi, lo := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xfff, lo>>48&0x3fff|0x8000, lo&0xffffffffffff)
}

func (p *person) name() string { return p.first + " " + p.last }

// payerName is who pays this person's bills.
func (p *person) payerName() string {
	if p.payer != "" {
		return p.payer
	}
	return p.name()
}
