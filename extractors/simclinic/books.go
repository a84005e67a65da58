package simclinic

// The clinic's books: what exists once the behaviour model has run up to the report date. Things refer to each other by
// their place in the slices of books.

const none = -1

// state is the state of an appointment.
type state uint8

const (
	booked state = iota
	arrived
	cancelled
	missed // no_show
	rescheduled
	archived
	neverBooked
)

var stateNames = [...]string{"booked", "arrived", "cancelled", "no_show", "rescheduled", "archived", "never_booked"}

// appointment is one row of the schedule. Stamps may outlive what they stood for: an un-arrived row can keep arrived,
// an un-cancelled one cancelled; only the state decides.
type appointment struct {
	start, end, booked, arrived, cancelled moment
	id                                     int64
	person                                 int32 // none for breaks, empty slots and group rows
	group                                  int32 // place in books.groups, or none
	item                                   int16 // none for breaks
	staff                                  int16
	place                                  int8
	reason                                 int8 // place in reasons, none, or len(reasons) for free text
	state                                  state
	firstVisit, online, hasNote            bool
}

// side says whom an invoice is addressed to.
type side byte

const (
	toPatient side = 'P'
	toInsurer side = 'C'
)

// category is the kind of sale, printed as Income Category.
type category uint8

const (
	care category = iota
	passSale
	passUse
	missFee
)

// invoice is what belongs together under one base number: one visit, one fee or one package.
type invoice struct {
	number      int64
	appointment int32 // none for packages
	person      int32
	staff       int16
	item        int16 // the treatment; for passSale the treatment that the passes are for
	place       int8
	category    category
	fee         missKind
	passes      int8 // passSale: how many
	service     day
	created     day
	patient     int32    // the part addressed to the patient, or none
	insurer     [2]int32 // the parts addressed to insurers, or none
}

// part is the share of one payer in an invoice, in its standing version.
type part struct {
	invoice int32
	policy  int32 // of the insurer's part, or none
	side    side
	insurer int8 // place in clinic's insurers, none for the patient's part
	product int8 // sold beside the visit, or none
	// sequence is the number after the side letter of the standing version.
	sequence uint8
	// reversed is the sequence of an earlier version that a negative line (sequence reversed + 1) took back; 0 for none.
	reversed uint8
	// prepay marks a courtesy claim; gone a part without a standing version.
	prepay, gone bool
	// claimsOld says that the claims go on printing the first number after a renumbering.
	claimsOld bool
	// hasDetail plants free text.
	hasDetail bool
	// reversedPaid: the reversed version printed its money as collected.
	reversedPaid  bool
	issued        day
	issuedBefore  day // of the reversed version
	takenBack     day // when it was reversed
	productCents  int64
	total         int64 // the product included
	collected     int64
	adjusted      int64 // taken off without money
	reversedTotal int64 // the product included
}

func (p *part) balance() int64 { return p.total - p.collected - p.adjusted }

// folder is where a claim lies.
type folder uint8

const (
	draft folder = iota
	unsubmitted
	submitted
	responseReceived
	approved
	rejected
	waitingOnPrimary
	queued
	onHold
	paid
	refunded
)

var folderNames = [...]string{
	"Draft", "Unsubmitted", "Submitted", "Response Received", "Approved", "Rejected", "Waiting on Primary", "Queued", "On Hold",
	"Paid", "Refunded",
}

// claim is one submission of an insurer's part. submitted and answered are never where that has not happened.
type claim struct {
	id                  int64
	part                int32
	folder              folder
	adjuster, hasNote   bool
	submitted, answered day
	claimed             int64
	approved            int64 // none where not answered
}

// policy is one insurance policy.
type policy struct {
	person  int32
	insurer int8
	// ends is never where the policy has no End Date.
	ends day
	// most is Max Treatments and ceiling Policy Maximum in cents, 0 where blank; before counts the treatments billed
	// before the history starts.
	most, before int
	ceiling      int64
	// used and billed count what was billed: treatments and cents.
	used   int
	billed int64
	// countBlank prints no Number of Treatments.
	countBlank, adjuster, hasNote bool
	status                        string
}

// group is a class that several people are booked into.
type group struct {
	people []int32
}

// books is everything.
type books struct {
	appointments []appointment
	groups       []group
	invoices     []invoice
	parts        []part
	claims       []claim
	policies     []policy
	slips        []slip
	receipts     []receipt
	payments     []payment
	applied      []application
	adjustments  []adjustment
	// ways are plans of care, which no report prints.
	ways []way

	// receiptDays and lastApplied are made once the books are closed: the last receipt of a part, the last use of a payment.
	receiptDays, lastApplied map[int32]day
}

// slipKind is a way of forgetting. The order is the order of precedence among slips on one part.
type slipKind uint8

const (
	visitNotClosed slipKind = iota
	arrivedNoCharge
	noShowFee
	lateCancelFee
	afterPolicyEnd
	overPolicyMaximum
	claimNeverSent
	claimRejected
	claimUnderpaid
	insurerNeverAnswered
	patientNotPaid
)

// slip is something that somebody forgot, noted when it was forgotten. Whether it is a leak by the report date is decided
// in truth.go, from how long ago basis is and whether somebody made up for it.
type slip struct {
	kind        slipKind
	appointment int32 // for the kinds up to lateCancelFee
	part        int32 // for the others
	// basis is the day from which the waiting counts.
	basis day
	// cents is what is lost, for the kinds about appointments.
	cents    int64
	repaired bool
}
