package transforms

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// unscheduledRow reads rows of the report of unscheduled patients.
func (r *reading) unscheduledRow() func() {
	patient, discipline, last := r.column("patient"), r.column("discipline"), r.column("last_visit_on")
	r.finishRows = func() {
		stamp := func(u contract.UnscheduledPatient) int32 {
			if u.LastVisitOn == nil {
				return noDay
			}
			return *u.LastVisitOn
		}
		r.batch.Unscheduled = newest(r, r.batch.Unscheduled,
			func(a, b contract.UnscheduledPatient) int {
				return cmp.Or(strings.Compare(a.Patient, b.Patient), strings.Compare(a.Discipline, b.Discipline))
			},
			func(a, b contract.UnscheduledPatient) int { return cmp.Compare(stamp(a), stamp(b)) },
			func(u contract.UnscheduledPatient) any { return u })
	}
	return func() {
		u := contract.UnscheduledPatient{
			Patient:     r.requiredPatient(patient),
			Discipline:  r.name(discipline),
			LastVisitOn: nullable(r, last, r.clock.Day),
		}
		if r.badReason == "" {
			r.batch.Unscheduled = append(r.batch.Unscheduled, u)
		}
	}
}

// activityRow reads the lines about our own account of the portal's activity log. Those about other people are counted; what
// they say is not looked at.
func (r *reading) activityRow() func() {
	at, who, phrase, rows := r.column("at"), r.column("account"), r.column("action"), r.column("rows")
	ours := []byte(strings.TrimSpace(r.t.account))
	account := ""
	if len(ours) > 0 {
		account = r.t.keys.Pseudonym(identity.Staff, normalise.NameKey(string(ours)))
	}
	r.finishRows = r.orderActivity
	return func() {
		if name := bytes.TrimSpace(r.cell(who).Text); len(name) == 0 {
			r.fail(who, normalise.Missing)
		} else if len(ours) == 0 || !bytes.EqualFold(name, ours) {
			r.batch.Remarks[OtherAccount]++
			r.noteAccount(name)
			return
		}
		said := required(r, phrase, normalise.ActivityPhrase)
		a := contract.Activity{
			At: required(r, at, r.clock.Instant), Account: account, Action: said.Action, Subject: said.Subject,
		}
		if count, ok := optional(r, rows, normalise.Count); ok {
			n := int64(count)
			a.Rows = &n
		}
		if said.From != "" {
			from, badFrom := r.clock.Day([]byte(said.From))
			to, badTo := r.clock.Day([]byte(said.To))
			if badFrom == "" && badTo == "" {
				a.RangeFrom, a.RangeTo = &from, &to
			}
		}
		if r.badReason != "" {
			return
		}
		if a.Action == contract.OtherAction {
			r.batch.Remarks[UnknownAction]++
		}
		a.OccurredOn = r.clock.LocalDay(a.At)
		r.on(a.OccurredOn)
		r.batch.Activity = append(r.batch.Activity, a)
	}
}

// noteAccount counts accounts that are none. What else stands in somebody else's line is not looked at.
func (r *reading) noteAccount(name []byte) {
	said, reason := normalise.ActivityPhrase(name)
	_, bad := r.clock.Instant(name)
	_, none := normalise.Count(name)
	if reason == "" && said.Action != contract.OtherAction || bad == "" || none == "" {
		r.odd.accounts++
	}
}

// orderActivity sorts the lines and numbers those that are alike in one instant.
func (r *reading) orderActivity() {
	rows := r.batch.Activity
	same := func(a, b contract.Activity) int {
		return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.Action, b.Action), strings.Compare(a.Subject, b.Subject))
	}
	slices.SortFunc(rows, func(a, b contract.Activity) int {
		if c := same(a, b); c != 0 {
			return c
		}
		return compareContent(a, b)
	})
	for i := 1; i < len(rows); i++ {
		if same(rows[i-1], rows[i]) == 0 {
			rows[i].Ordinal = rows[i-1].Ordinal + 1
		}
	}
}

// named is a first name and the identifier behind it, as of the latest appointment that prints them.
type named struct {
	at             int64
	name, original string
}

// identify notes who the patients of a row are, where the clinic has chosen to show names. Lists of names and identifiers that
// do not have equal length are left out: nobody could tell who is who.
func (r *reading) identify(column int, guids []byte, who []*string, at int64) {
	names, ids := splitPatients(r.cell(column).Text), splitPatients(guids)
	if len(names) != len(who) || len(ids) != len(who) {
		return
	}
	for i, p := range who {
		before, known := r.identified[*p]
		if known && before.at > at {
			continue
		}
		name, badName := normalise.Name(names[i])
		id, badID := normalise.Identifier(ids[i])
		if badName != "" || badID != "" {
			continue
		}
		now := named{at, string(name), string(id)}
		if !known || before.at < at || before.name < now.name {
			r.identified[*p] = now
		}
	}
}

// identities lists who was named, in the order of the pseudonyms.
func (r *reading) identities() []contract.Identified {
	out := make([]contract.Identified, 0, len(r.identified))
	for patient, who := range r.identified {
		out = append(out, contract.Identified{Patient: patient, FirstName: who.name, PatientGUID: who.original})
	}
	slices.SortFunc(out, func(a, b contract.Identified) int { return strings.Compare(a.Patient, b.Patient) })
	return out
}
