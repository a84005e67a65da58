package contract

// The values of enumerated columns. Every one is lower case with underscores, whatever the report printed.

// States of an appointment (column state).
const (
	Booked      = "booked"
	Arrived     = "arrived"
	Cancelled   = "cancelled"
	NoShow      = "no_show"
	Rescheduled = "rescheduled"
	Archived    = "archived"
	NeverBooked = "never_booked"
)

// Sides of an invoice (column invoice_side). An invoice number without a side has the empty one.
const (
	PatientSide = "P"
	InsurerSide = "C"
)

// Kinds of payer (column payer_kind).
const (
	Person      = "person"
	InsurerKind = "insurer"
)

// Statuses of an invoice line (column status). OtherStatus is one that the portal printed and we do not know; its
// money counts like any other.
const (
	Paid          = "paid"
	Unpaid        = "unpaid"
	PartiallyPaid = "partially_paid"
	NoCharge      = "no_charge"
	OtherStatus   = "other"
)

// Folders of a claim (column folder).
const (
	ClaimDraft     = "draft"
	ClaimUnsent    = "unsubmitted"
	ClaimSubmitted = "submitted"
	ClaimAnswered  = "response_received"
	ClaimApproved  = "approved"
	ClaimRejected  = "rejected"
	ClaimWaiting   = "waiting_on_primary"
	ClaimQueued    = "queued"
	ClaimOnHold    = "on_hold"
	ClaimPaid      = "paid"
	ClaimRefunded  = "refunded"
)

// Statuses of an insurance policy (column status).
const (
	PolicyOpen           = "open"
	PolicyAwaitingReview = "awaiting_review"
	PolicyClosed         = "closed"
)

// Reasons of a cancellation (column cancelled_reason): the fixed list that free text is mapped to.
const (
	ReasonIllness   = "illness"
	ReasonSchedule  = "schedule"
	ReasonWeather   = "weather"
	ReasonTransport = "transport"
	ReasonMoney     = "money"
	ReasonForgot    = "forgot"
	ReasonClinic    = "clinic"
	ReasonOther     = "other"
)

// States lists every appointment state.
func States() []string {
	return []string{Booked, Arrived, Cancelled, NoShow, Rescheduled, Archived, NeverBooked}
}

// Folders lists every claim folder.
func Folders() []string {
	return []string{ClaimDraft, ClaimUnsent, ClaimSubmitted, ClaimAnswered, ClaimApproved, ClaimRejected, ClaimWaiting,
		ClaimQueued, ClaimOnHold, ClaimPaid, ClaimRefunded}
}

// Reasons lists every cancellation reason.
func Reasons() []string {
	return []string{ReasonIllness, ReasonSchedule, ReasonWeather, ReasonTransport, ReasonMoney, ReasonForgot,
		ReasonClinic, ReasonOther}
}
