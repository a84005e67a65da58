package transforms

import (
	"slices"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// LeaveOut takes the rows of some patients out of a batch, and says how many there were. What the batch says of its file, as how many
// rows that has, stays.
func (b *Batch) LeaveOut(patient func(pseudonym string) bool) int {
	left := 0
	leaveOut(&b.Appointments, patient, &left)
	leaveOut(&b.InvoiceLines, patient, &left)
	leaveOut(&b.Claims, patient, &left)
	leaveOut(&b.Policies, patient, &left)
	leaveOut(&b.Payments, patient, &left)
	leaveOut(&b.AppliedPayments, patient, &left)
	leaveOut(&b.Adjustments, patient, &left)
	leaveOut(&b.Credits, patient, &left)
	leaveOut(&b.Unscheduled, patient, &left)
	names := 0 // they come beside the rows of appointments, which are counted
	leaveOut(&b.Identities, patient, &names)
	return left
}

func leaveOut[T contract.Row](rows *[]T, patient func(pseudonym string) bool, left *int) {
	before := len(*rows)
	*rows = slices.DeleteFunc(*rows, func(r T) bool {
		ref := r.PatientRef()
		return ref != "" && patient(ref)
	})
	*left += before - len(*rows)
}
