package transforms

import (
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// payer is who pays an invoice line, without a name.
type payer struct {
	kind   string
	id     *string
	prepay bool
}

var person = &payer{kind: contract.Person}

// PayerID is the pseudonym of an insurer's name.
func (t *Transformer) PayerID(name string) string {
	return t.keys.Pseudonym(identity.Payer, normalise.NameKey(name))
}

// linePayer classifies the payer of an invoice line. The patient's invoice is paid by a person, whose name is not even
// looked at; the insurer's by an insurer. Where the invoice number has no side, a payer is a person unless the clinic
// knows the name as an insurer's.
func (r *reading) linePayer(column int, side string) *payer {
	if side == contract.PatientSide {
		return person
	}
	text := r.cell(column).Text
	key := side + "|" + string(text)
	if p, ok := r.payers[key]; ok {
		return p
	}
	name, reason := normalise.Name(text)
	if reason != "" {
		if side == "" && reason == normalise.Missing {
			return person
		}
		r.fail(column, reason)
		return person
	}
	bare, prepay := normalise.Payer(name)
	if len(bare) == 0 {
		r.fail(column, normalise.Missing)
		return person
	}
	p := person
	if side == contract.InsurerSide || prepay || r.t.insurers[normalise.NameKey(string(bare))] {
		id := r.t.PayerID(string(bare))
		p = &payer{contract.InsurerKind, &id, prepay}
	}
	r.payers[key] = p
	return p
}

// insurer is the pseudonym of an insurer that a claims or policies report names; its name is noted in memory.
func (r *reading) insurer(column int, text []byte) string {
	if p, ok := r.payers[string(text)]; ok {
		return *p.id
	}
	name, reason := normalise.Name(text)
	if reason != "" {
		r.fail(column, reason)
		return ""
	}
	bare, _ := normalise.Payer(name)
	if len(bare) == 0 {
		r.fail(column, normalise.Missing)
		return ""
	}
	id := r.t.PayerID(string(bare))
	r.payers[string(text)] = &payer{kind: contract.InsurerKind, id: &id}
	if r.batch.PayerNames == nil {
		r.batch.PayerNames = map[string]string{}
	}
	noteName(r.batch.PayerNames, id, string(bare))
	return id
}

// noteName keeps one spelling of a name, whatever the order in which they are met.
func noteName(names map[string]string, id, name string) {
	if before, ok := names[id]; !ok || name < before {
		names[id] = name
	}
}

// MergePayerNames adds the names of one batch to those of others.
func MergePayerNames(into, from map[string]string) {
	for id, name := range from {
		noteName(into, id, name)
	}
}

// minPatients is how many patients an insurer must have for its name to be kept: fewer, and the name tells who they are.
const minPatients = 3

// Insurers lists the payers whose name may be stored: the settings or a claims or policies report list them (names, by
// pseudonym, as Batch.PayerNames), and at least three patients have them (patients, by pseudonym). All others stay
// pseudonyms. The result is in the order of the pseudonyms.
func (t *Transformer) Insurers(names map[string]string, patients map[string]int, observedOn civil.Date) []contract.Insurer {
	known := map[string]string{}
	MergePayerNames(known, names)
	for _, name := range t.settings.KnownInsurers() { // the clinic's own spelling wins
		known[t.PayerID(name)] = name
	}
	var out []contract.Insurer
	for id, name := range known {
		if patients[id] >= minPatients {
			out = append(out, contract.Insurer{PayerID: id, Name: name, ObservedOn: contract.DayOf(observedOn)})
		}
	}
	slices.SortFunc(out, func(a, b contract.Insurer) int { return strings.Compare(a.PayerID, b.PayerID) })
	return out
}
