// Package normalise reads single cells of a report: money, instants, days, numbers, states, invoice numbers and payers,
// in every way in which the portal prints them.
//
// Every reader takes the cell's bytes and gives a value or a Reason why it has none. A Reason never holds any part of
// the cell: it may be shown, logged and stored. White space around a cell is never part of its value. The
// readers hardly allocate: a report has some two million cells.
package normalise

// Reason says why a cell has no value; it is empty where it has one.
type Reason string

// The reasons. They are stable: quarantine counts are kept under them.
const (
	Missing       Reason = "missing_value"
	BadMoney      Reason = "bad_money"
	BadDate       Reason = "bad_date"
	AmbiguousDate Reason = "ambiguous_date"
	BadInstant    Reason = "bad_instant"
	BadNumber     Reason = "bad_number"
	BadBoolean    Reason = "bad_boolean"
	BadID         Reason = "bad_id"
	BadInvoice    Reason = "bad_invoice_number"
	BadText       Reason = "bad_text"
	UnknownState  Reason = "unknown_state"
	UnknownFolder Reason = "unknown_folder"
	UnknownStatus Reason = "unknown_status"
	EndsEarly     Reason = "ends_before_start"
)

// explanations say what was expected, for the person who has the file.
var explanations = map[Reason]string{
	Missing:       "the cell is blank",
	BadMoney:      "is not an amount such as 1234.50, $1,234.50 or (12.00)",
	BadDate:       "is not a date such as 2026-09-01 or Sep 1, 2026",
	AmbiguousDate: "leaves open which part of the date is the day and which the month",
	BadInstant:    "is not a time such as 2026-09-01 08:30:00 -0700",
	BadNumber:     "is not a number of the expected kind",
	BadBoolean:    "is neither yes nor no",
	BadID:         "is not an identifier",
	BadInvoice:    "is not an invoice number such as 1531-P01",
	BadText:       "is not a name: it is too long, or not in the encoding of the file (save it as CSV UTF-8)",
	UnknownState:  "is not a state of an appointment",
	UnknownFolder: "is not a folder of claims",
	UnknownStatus: "is not a status of a policy",
	EndsEarly:     "lies before the start",
}

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{Missing, BadMoney, BadDate, AmbiguousDate, BadInstant, BadNumber, BadBoolean, BadID, BadInvoice,
		BadText, UnknownState, UnknownFolder, UnknownStatus, EndsEarly}
}

// Explain says in words what a reason means of a cell.
func (r Reason) Explain() string { return explanations[r] }
