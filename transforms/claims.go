package transforms

import (
	"cmp"
	"math"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// claimRow reads rows of the claims search.
func (r *reading) claimRow() func() {
	var (
		id, number, patient  = r.column("claim_id"), r.column("invoice_number"), r.column("patient")
		payer, policy        = r.column("payer_id"), r.column("policy_id")
		service, folder      = r.column("service_date"), r.column("folder")
		submitted, responded = r.column("submitted_on"), r.column("responded_on")
		claimed, approved    = r.column("claimed_cents"), r.column("approved_cents")
	)
	r.finishRows = func() {
		r.batch.Claims = newest(r, r.batch.Claims,
			func(a, b contract.Claim) int { return strings.Compare(a.ClaimID, b.ClaimID) },
			func(a, b contract.Claim) int { return cmp.Compare(claimStamp(a), claimStamp(b)) },
			func(c contract.Claim) any { return c })
	}
	return func() {
		inv := required(r, number, normalise.InvoiceNumber)
		c := contract.Claim{
			Patient:       r.requiredPatient(patient),
			PayerID:       r.insurer(payer, r.cell(payer).Text),
			PolicyID:      r.identifier(identity.Policy, policy, normalise.PolicyNumber),
			ServiceDate:   required(r, service, r.clock.Day),
			Folder:        required(r, folder, normalise.Folder),
			SubmittedOn:   nullable(r, submitted, r.clock.Day),
			RespondedOn:   nullable(r, responded, r.clock.Day),
			ClaimedCents:  r.moneyOrNull(claimed),
			ApprovedCents: r.moneyOrNull(approved),
		}
		if _, reason := normalise.PositiveID(r.cell(id).Text); reason != "" {
			r.fail(id, reason)
		}
		if r.badReason != "" {
			return
		}
		c.ClaimID = *r.identifier(identity.Claim, id, normalise.Identifier)
		c.InvoiceNumber = string(inv.Number)
		if stamp := claimStamp(c); stamp != math.MinInt32 {
			r.happened(stamp)
		}
		r.on(c.ServiceDate)
		r.batch.Claims = append(r.batch.Claims, c)
	}
}

// claimStamp is the newest day on which something happened to a claim.
func claimStamp(c contract.Claim) int32 {
	stamp := int32(math.MinInt32)
	for _, day := range []*int32{c.SubmittedOn, c.RespondedOn} {
		if day != nil {
			stamp = max(stamp, *day)
		}
	}
	return stamp
}
