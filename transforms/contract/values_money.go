package contract

import "slices"

// Kinds of payment (column kind of payments).
const (
	PaymentIn    = "payment"
	PaymentBack  = "refund"
	Bounce       = "bounce"
	Fee          = "fee"
	OtherPayment = "other"
)

// Methods of payment (column method).
const (
	Card          = "card"
	Cash          = "cash"
	Cheque        = "cheque"
	BankTransfer  = "bank_transfer"
	InsurerPays   = "insurer"
	AccountCredit = "account_credit"
	Gift          = "gift"
	OtherMethod   = "other"
)

// Kinds of adjustment (column kind of adjustments and write_offs).
const (
	WriteOff        = "write_off"
	CreditMemo      = "credit_memo"
	Contractual     = "contractual"
	Reversal        = "reversal"
	OtherAdjustment = "other"
)

// Actions of the portal's activity log (column action of portal_activity and access_ledger).
const (
	SignedIn    = "signed_in"
	CodeAsked   = "code_asked"
	SignedOut   = "signed_out"
	Refused     = "refused"
	Opened      = "opened"
	Ran         = "ran"
	Exported    = "exported"
	Previewed   = "previewed"
	Downloaded  = "downloaded"
	Recorded    = "recorded"
	OtherAction = "other"
)

// ActivityReport is the activity log as a report: what was done to read it is in it too.
const ActivityReport = "activity"

// Subjects of the activity log that are no report (column subject of portal_activity and access_ledger). Reports go by their
// slugs. Signing in and out, being refused and being asked for a code have none.
const (
	SubjectAccount  = "account"
	SubjectSchedule = "schedule"
	SubjectPatients = "patients"
	SubjectCharts   = "chart_entries"
	SubjectDocs     = "documents"
	OtherSubject    = "other"
)

// PaymentKinds lists every kind of payment.
func PaymentKinds() []string { return []string{PaymentIn, PaymentBack, Bounce, Fee, OtherPayment} }

// Methods lists every method of payment.
func Methods() []string {
	return []string{Card, Cash, Cheque, BankTransfer, InsurerPays, AccountCredit, Gift, OtherMethod}
}

// AdjustmentKinds lists every kind of adjustment.
func AdjustmentKinds() []string {
	return []string{WriteOff, CreditMemo, Contractual, Reversal, OtherAdjustment}
}

// Actions lists every action of the activity log.
func Actions() []string {
	return []string{SignedIn, CodeAsked, SignedOut, Refused, Opened, Ran, Exported, Previewed, Downloaded, Recorded, OtherAction}
}

// Subjects lists every subject of the activity log: the reports and the screens.
func Subjects() []string {
	var out []string
	for _, d := range Datasets() {
		if d.Report != "" && !slices.Contains(out, d.Report) {
			out = append(out, d.Report)
		}
	}
	return append(out, SubjectAccount, SubjectSchedule, SubjectPatients, SubjectCharts, SubjectDocs, OtherSubject)
}
