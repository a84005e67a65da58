package transforms

import (
	"regexp"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
)

func (r *reading) plausibleClaims(rows []contract.Claim) {
	type c = contract.Claim
	highest := r.highestPrice()
	// What an insurer is asked before the service is submitted before it, and what is submitted anew after the answer; the
	// other order is the usual one.
	for _, days := range []struct {
		columns, why  string
		first, second func(*c) *int32
	}{
		{"`Service Date` and `Submitted Date`", "it was submitted before the service", func(x *c) *int32 { return &x.ServiceDate }, func(x *c) *int32 { return x.SubmittedOn }},
		{"`Submitted Date` and `Response Date`", "the answer is older than the claim", func(x *c) *int32 { return x.SubmittedOn }, func(x *c) *int32 { return x.RespondedOn }},
		{"`Service Date` and `Response Date`", "it was answered before the service", func(x *c) *int32 { return &x.ServiceDate }, func(x *c) *int32 { return x.RespondedOn }},
	} {
		wrong, right := ordered(rows, func(x *c) bool { return days.first(x) != nil && days.second(x) != nil },
			func(x *c) int64 { return int64(*days.first(x)) }, func(x *c) int64 { return int64(*days.second(x)) })
		r.turned(days.columns, days.why, wrong, right)
	}
	doubted(r, rows, []doubt[c]{
		// Of a claim on paper the answer alone may be noted. That others were sent on days and never answered is another thing.
		{"`Submitted Date` and `Response Date`", "it was answered and not submitted", 50,
			func(x *c) bool { return x.SubmittedOn != nil || x.RespondedOn != nil },
			func(x *c) bool {
				return x.SubmittedOn == nil && x.Folder != contract.ClaimAnswered && x.Folder != contract.ClaimApproved && x.Folder != contract.ClaimRejected
			}},
		{"`Submitted Date`", "it was submitted on no day", 98,
			func(x *c) bool { return len(rows) >= 20 }, func(x *c) bool { return x.SubmittedOn == nil }},
		{"`Claimed` and `Approved`", "more is approved than was claimed", 30,
			func(x *c) bool { return x.ApprovedCents != nil },
			func(x *c) bool { return x.ClaimedCents == nil || *x.ApprovedCents > *x.ClaimedCents }},
		{"`Response Date`", "the insurer has answered on no day", 90,
			func(x *c) bool {
				return x.Folder == contract.ClaimAnswered || x.Folder == contract.ClaimApproved || x.Folder == contract.ClaimRejected
			}, func(x *c) bool { return x.RespondedOn == nil }},
		{"`Claimed`", "it is more than ten times the highest price of the price list", 50,
			func(x *c) bool { return x.ClaimedCents != nil && highest > 0 }, func(x *c) bool { return *x.ClaimedCents > 10*highest }},
	})
	r.policiesHaveNumbers()
	r.payersHaveNames("`Insurer`")
	r.plausibleNames([]nameColumn{
		{"`Insurer`", r.texted(len(rows), func(i int) (string, string) { return rows[i].PayerID, rows[i].Patient }), coded, false},
	})
}

// highestPrice is the highest of the price list, 0 without one.
func (r *reading) highestPrice() (cents int64) {
	for _, p := range r.t.settings.Prices {
		cents = max(cents, p.GrossCents)
	}
	return cents
}

// treatments is more of them than a policy covers in its life.
const treatments = 365

// boundless are the counts that people type for as many as one likes.
var boundless = map[int32]bool{999: true, 9999: true, 99999: true}

func (r *reading) plausiblePolicies(rows []contract.Policy) {
	type p = contract.Policy
	doubted(r, rows, []doubt[p]{
		{"`End Date`", "it ended before 1990", 50,
			func(x *p) bool { return x.EndDate != nil }, func(x *p) bool { return *x.EndDate < contract.DayOf(civil.Date{Year: 1990, Month: 1, Day: 1}) }},
		{"`Policy Maximum`", "it is less than 50 in the clinic's money", 50,
			func(x *p) bool { return x.PolicyMaximumCents != nil && *x.PolicyMaximumCents > 0 },
			func(x *p) bool { return *x.PolicyMaximumCents < 50_00 }},
		{"`Max Treatments`", "it covers more than one a day", 50,
			func(x *p) bool { return x.MaxTreatments != nil && !boundless[*x.MaxTreatments] }, func(x *p) bool { return *x.MaxTreatments > treatments }},
		{"`Number of Treatments`", "more than one a day was used", 50,
			func(x *p) bool { return x.TreatmentsUsed != nil && *x.TreatmentsUsed > 0 },
			func(x *p) bool { return *x.TreatmentsUsed > treatments }},
	})
	r.policiesHaveNumbers()
	r.payersHaveNames("`Insurer(s)`")
	r.plausibleNames([]nameColumn{
		{"`Insurer(s)`", r.texted(len(rows), func(i int) (string, string) { return rows[i].PayerID, rows[i].Patient }), coded, false},
	})
}

// guidForm is how most systems write a GUID.
var guidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}$`)

// dayForm is how days look once spaces are taken out of them and letters made capitals.
var dayForm = regexp.MustCompile(`^(?:[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}|[A-Z]{3,9}\.?[0-9]{1,2},[0-9]{4})$`)

// policiesHaveNumbers refuses policy numbers that are names, days, GUIDs or invoices.
func (r *reading) policiesHaveNumbers() {
	bad, of := 0, 0
	for key := range r.identifiers {
		kind, text, _ := strings.Cut(key, "|")
		if kind != string(identity.Policy) {
			continue
		}
		of++
		if !strings.ContainsAny(text, "0123456789") || guidForm.MatchString(text) || dayForm.MatchString(text) || invoiceForm.MatchString(text) {
			bad++
		}
	}
	if many(bad, of, 50) {
		r.implausible("`Policy #`", "a name, a day, a GUID or an invoice's number", bad, of)
	}
	if rows := len(r.batch.Policies); of == 0 && rows >= 10 {
		r.implausible("`Policy #`", "it is blank", rows, rows)
	}
}

// payersHaveNames refuses insurers that are mostly numbers.
func (r *reading) payersHaveNames(column string) {
	numbers := 0
	for name := range r.payers {
		digits := 0
		for _, c := range []byte(name) {
			if c >= '0' && c <= '9' {
				digits++
			}
		}
		if digits >= 3 {
			numbers++
		}
	}
	if many(numbers, len(r.payers), 50) {
		r.implausible(column, "a number and no name", numbers, len(r.payers))
	}
}
