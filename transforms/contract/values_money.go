package contract

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

// Subjects of the activity log that are no report (column subject). Reports go by their slugs.
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
	return []string{SignedIn, SignedOut, Refused, Opened, Ran, Exported, Previewed, Downloaded, Recorded, OtherAction}
}
