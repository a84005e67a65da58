package query

// leakCategory says of a ledger category what people call it and what to do about it.
type leakCategory struct{ slug, title, remedy string }

// leakCategories are the ledger's categories in the order of precedence.
var leakCategories = []leakCategory{
	{"visit_not_closed", "Visit never closed", "Mark the visit arrived, cancelled or no-show"},
	{"arrived_no_charge", "Visit without a charge", "Invoice the visit"},
	{"no_show_fee", "No-show fee not charged", "Charge or waive the fee"},
	{"late_cancel_fee", "Late-cancel fee not charged", "Charge or waive the fee"},
	{"after_policy_end", "Visit after the policy ended", "Bill the patient, or find the new policy"},
	{"over_policy_maximum", "Visit beyond the policy's maximum", "Bill the patient, or ask for an extension"},
	{"claim_never_sent", "Claim never sent", "Submit the claim"},
	{"claim_rejected", "Claim rejected, not resubmitted", "Correct and resubmit the claim"},
	{"claim_underpaid", "Claim paid short", "Query the insurer, or bill the rest"},
	{"insurer_balance_aged", "Insurer silent over 60 days", "Chase the insurer"},
	{"copay_missed", "Co-pay not collected", "Collect from the patient"},
	{"patient_balance_aged", "Patient balance over 30 days", "Collect from the patient"},
	{"write_off", "Written off", "Nothing: it is given up"},
	{"idle_capacity", "Idle capacity", "Offer the free time"},
	{"falloff", "Patient fell off", "Call the patient"},
}

// LeakCategory is a category of the ledger as people read it.
type LeakCategory struct{ Slug, Title, Remedy string }

// LeakCategories are the ledger's categories in the order of precedence. The answer is the caller's own.
func LeakCategories() []LeakCategory {
	all := make([]LeakCategory, len(leakCategories))
	for i, c := range leakCategories {
		all[i] = LeakCategory{Slug: c.slug, Title: c.title, Remedy: c.remedy}
	}
	return all
}

// categoryChoices are the values of a category parameter: all of them, or one.
func categoryChoices() []string {
	choices := []string{"all"}
	for _, c := range leakCategories {
		choices = append(choices, c.slug)
	}
	return choices
}
