package simclinic

import "strings"

// Patient is one person as the portal's own pages show them. Every text but the GUID is a canary.
type Patient struct {
	GUID string
	// Number counts the patients from 1 on, as patient_number does in the reports.
	Number                             int
	FirstName, PreferredName, LastName string // PreferredName may be empty
	Phone, Email, Address, BirthDate   string
	Note, Diagnosis, Card              string
}

// Patients lists everybody, in order of number.
func (c *Clinic) Patients() []Patient {
	w := c.world
	all := make([]Patient, len(w.people))
	for i := range w.people {
		p := &w.people[i]
		all[i] = Patient{
			GUID: p.guid, Number: i + 1, FirstName: p.first, PreferredName: p.nick, LastName: p.last,
			Phone: w.tokens.phone(w.areaCode(), i), Email: w.tokens.email(i), Address: w.tokens.address(i),
			BirthDate: w.tokens.birthDate(i), Note: w.recordText(i), Diagnosis: w.diagnosisText(i), Card: w.tokens.card(i),
		}
	}
	return all
}

// Canary is a string planted where nobody may read it: at least ten bytes that do not occur by chance.
type Canary struct {
	// Kind is one of the CanaryKinds.
	Kind string
	// Value is the greppable core: of a sentence the one word that nobody else writes.
	Value string
}

// Canaries lists every string planted in reports and on the portal's forbidden pages, without repetition. Kinds:
// first_name, preferred_name, last_name, payer_name, phone, email, address, birth_date, card, patient_note, diagnosis,
// appointment_note, cancel_reason, sale_detail, payment_note, cheque_number, adjustment_reason, claim_note, claim_adjuster, policy_name, policy_note, policy_adjuster.
func (c *Clinic) Canaries() []Canary {
	w := c.world
	var all []Canary
	add := func(kind, value string) { all = append(all, Canary{kind, value}) }
	birthDates := map[string]bool{}
	for i := range w.people {
		p := &w.people[i]
		add("first_name", p.first)
		if p.nick != "" {
			add("preferred_name", p.nick)
		}
		add("last_name", p.last)
		if p.plain != p.last {
			add("last_name", p.plain)
		}
		if p.payer != "" {
			add("payer_name", w.tokens.of(otherNames, i))
		}
		add("phone", w.tokens.phone(w.areaCode(), i))
		add("email", w.tokens.email(i))
		add("address", w.tokens.of(streets, i))
		if born := w.tokens.birthDate(i); !birthDates[born] {
			birthDates[born] = true
			add("birth_date", born)
		}
		add("card", w.tokens.card(i))
		add("patient_note", w.tokens.of(freeText, spaceRecords+i))
		add("diagnosis", w.tokens.of(freeText, spaceFindings+i))
	}
	for i := range w.appointments {
		if w.appointments[i].hasNote {
			add("appointment_note", w.tokens.of(freeText, spaceNotes+i))
		}
		if int(w.appointments[i].reason) == len(reasons) {
			add("cancel_reason", w.tokens.of(freeText, spaceReasons+i))
		}
	}
	for i := range w.parts {
		if w.parts[i].hasDetail && w.prints(&w.parts[i]) {
			add("sale_detail", w.tokens.of(freeText, spaceDetails+i))
		}
	}
	for i := range w.payments {
		if w.payments[i].hasNote {
			add("payment_note", w.tokens.of(freeText, spacePayments+i))
		}
		if w.payments[i].method == byCheque {
			add("cheque_number", w.tokens.of(freeText, spaceCheques+i))
		}
	}
	for i := range w.adjustments {
		if w.adjustments[i].hasReason {
			add("adjustment_reason", w.tokens.of(freeText, spaceAdjustments+i))
		}
	}
	for i := range w.claims {
		if w.claims[i].hasNote {
			add("claim_note", w.tokens.of(freeText, spaceRemarks+i))
		}
		if w.claims[i].adjuster {
			add("claim_adjuster", w.tokens.of(otherNames, spaceClerks+i))
		}
	}
	for i := range w.policies {
		add("policy_name", w.tokens.of(freeText, spacePlans+i))
		if w.policies[i].hasNote {
			add("policy_note", w.tokens.of(freeText, spaceAsides+i))
		}
		if w.policies[i].adjuster {
			add("policy_adjuster", w.tokens.of(otherNames, spaceAgents+i))
		}
	}
	return all
}

// prints says that a part has any line in the sales report.
func (w *world) prints(p *part) bool { return !p.gone || p.reversed != 0 }

// Identifiers lists what is no canary and still may be stored under a pseudonym only: patients' GUIDs, policy numbers and
// the insurers' case numbers.
func (c *Clinic) Identifiers() []Canary {
	w := c.world
	var all []Canary
	for i := range w.people {
		all = append(all, Canary{"patient_guid", w.people[i].guid})
	}
	for i := range w.policies {
		all = append(all, Canary{"policy_number", w.tokens.policyNumber(i)}, Canary{"case_number", w.tokens.caseNumber(i)})
	}
	return all
}

// Planted gives the values of Canaries alone.
func (c *Clinic) Planted() []string {
	canaries := c.Canaries()
	values := make([]string, len(canaries))
	for i, canary := range canaries {
		values[i] = strings.Clone(canary.Value)
	}
	return values
}
