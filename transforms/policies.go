package transforms

import (
	"bytes"
	"cmp"
	"math"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// policyRow reads rows of the insurance policies screen. A policy that names several insurers is a row for each.
func (r *reading) policyRow() func() {
	var (
		patient, payer, number = r.column("patient"), r.column("payer_id"), r.column("policy_id")
		status, end            = r.column("status"), r.column("end_date")
		used, most, maximum    = r.column("treatments_used"), r.column("max_treatments"), r.column("policy_maximum_cents")
		// Two policies without a number, of one patient with one insurer, cannot be told apart.
		unnumbered = r.t.keys.Pseudonym(identity.Policy, "")
	)
	r.finishRows = func() {
		r.batch.Policies = newest(r, r.batch.Policies,
			func(a, b contract.Policy) int {
				return cmp.Or(strings.Compare(a.Patient, b.Patient), strings.Compare(a.PayerID, b.PayerID), strings.Compare(a.PolicyID, b.PolicyID))
			},
			func(a, b contract.Policy) int { return cmp.Compare(policyEnd(a), policyEnd(b)) },
			func(p contract.Policy) any { return p })
	}
	return func() {
		p := contract.Policy{
			Patient:            r.requiredPatient(patient),
			PolicyID:           unnumbered,
			Status:             required(r, status, normalise.PolicyStatus),
			EndDate:            nullable(r, end, r.clock.Day),
			TreatmentsUsed:     nullable(r, used, normalise.Count),
			MaxTreatments:      nullable(r, most, normalise.Count),
			PolicyMaximumCents: r.moneyOrNull(maximum),
		}
		if id := r.identifier(identity.Policy, number, normalise.PolicyNumber); id != nil {
			p.PolicyID = *id
		}
		var payers []string
		for _, name := range normalise.Names(r.cell(payer).Text) {
			if len(bytes.TrimSpace(name)) > 0 {
				payers = append(payers, r.insurer(payer, bytes.TrimSpace(name)))
			}
		}
		if len(payers) == 0 {
			r.fail(payer, normalise.Missing)
		}
		if r.badReason != "" {
			return
		}
		for _, id := range payers {
			p.PayerID = id
			r.batch.Policies = append(r.batch.Policies, p)
		}
	}
}

// policyEnd ranks policies of one number: the one that lasts longest holds, and none lasts longer than one without end.
func policyEnd(p contract.Policy) int32 {
	if p.EndDate == nil {
		return math.MaxInt32
	}
	return *p.EndDate
}
