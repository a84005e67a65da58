package transforms

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// Batch is one report without identities. Of the typed slices the one of Dataset is filled, in an order that does not
// depend on the file's.
type Batch struct {
	Dataset string         `json:"dataset"`
	File    string         `json:"file"`
	Format  tabular.Format `json:"format"`

	Appointments []contract.Appointment `json:"appointments,omitempty"`
	InvoiceLines []contract.InvoiceLine `json:"invoice_lines,omitempty"`
	Claims       []contract.Claim       `json:"claims,omitempty"`
	Policies     []contract.Policy      `json:"policies,omitempty"`
	Shifts       []contract.Shift       `json:"shifts,omitempty"`

	Payments        []contract.Payment        `json:"payments,omitempty"`
	AppliedPayments []contract.AppliedPayment `json:"applied_payments,omitempty"`
	// Adjustments are filled by the adjustments report and by that of write-offs.
	Adjustments []contract.Adjustment         `json:"adjustments,omitempty"`
	Credits     []contract.Credit             `json:"credits,omitempty"`
	Receivables []contract.Receivable         `json:"accounts_receivable,omitempty"`
	Unscheduled []contract.UnscheduledPatient `json:"unscheduled_patients,omitempty"`
	Activity    []contract.Activity           `json:"portal_activity,omitempty"`

	// Identities come beside Appointments where the clinic has chosen to show names, in memory only: they are stored apart.
	Identities []contract.Identified `json:"-"`

	// Rows is how many rows the file holds under its header, blank ones left out.
	Rows int `json:"rows"`
	// Covers is the range of days that the file is about, by service, purchase or period day.
	Covers extractors.Window `json:"covers"`
	// Complete is the source's word that the file holds every row of Covers.
	Complete bool `json:"complete"`
	// ObservedOn is the local day whose end the rows show, as far as the file tells; every row carries it. Of two
	// versions of a row the one observed later is the newer.
	ObservedOn civil.Date `json:"observed_on"`
	// ReportDate is the newest day that the file covers: a candidate for the as-of day.
	ReportDate civil.Date `json:"report_date"`

	// Erased counts the rows that were left out because their patient was erased; nothing is wrong with them.
	Erased int `json:"erased,omitempty"`
	// Quarantine are the rows that could not be read, in the file's order.
	Quarantine []Quarantined `json:"quarantine,omitempty"`
	// Dropped are the headers that the contract does not know, with the filled cells under each.
	Dropped []Dropped `json:"dropped,omitempty"`
	// Lacking are the headers of columns that the contract knows, does not require, and that the file does not have:
	// nothing is known of them in its rows.
	Lacking []string `json:"lacking,omitempty"`
	// ForbiddenCells counts the filled cells under forbidden headers. None of them was read.
	ForbiddenCells int `json:"forbidden_cells"`
	// Remarks counts what was noticed and is no error.
	Remarks map[Remark]int `json:"remarks,omitempty"`
	// PayerNames are the insurers that a claims or policies report names, by pseudonym. It is for Insurers, in memory:
	// names of insurers with few patients must not be stored.
	PayerNames map[string]string `json:"-"`
}

// remark counts what was noticed n times.
func (b *Batch) remark(what Remark, n int) {
	if n > 0 {
		b.Remarks[what] += n
	}
}

// Dropped is a header that was not read.
type Dropped struct {
	Header string `json:"header"`
	Cells  int    `json:"cells"`
}

// Remark is something about rows that were read.
type Remark string

// The remarks.
const (
	// RepeatedRow: a row that is in the file more than once was read once.
	RepeatedRow Remark = "repeated_row"
	// ConflictingRow: two rows of one id differ; the later one by its own stamps was read.
	ConflictingRow Remark = "conflicting_row"
	// TaxDisagrees: subtotal and tax do not add up to the total; the total counts.
	TaxDisagrees Remark = "tax_disagrees"
	// UnknownLineStatus: an invoice line has a status that we do not know; its amounts count.
	UnknownLineStatus Remark = "unknown_line_status"
	// UnknownMethod, UnknownKind and UnknownAction: a value is not on the contract's list and is kept as `other`.
	UnknownMethod Remark = "unknown_method"
	UnknownKind   Remark = "unknown_kind"
	UnknownAction Remark = "unknown_action"
	// AppliedToUnread: what a payment is applied to is no invoice number, and was left out.
	AppliedToUnread Remark = "applied_to_unread"
	// ControlTotalDisagrees: the portal's own totals of a month do not add up.
	ControlTotalDisagrees Remark = "control_total_disagrees"
	// OtherAccount: a line of the activity log is about somebody else's account, and was not read.
	OtherAccount Remark = "other_account"
	// OutsideRange: a row lies outside the file's own date range.
	OutsideRange Remark = "outside_range"
)

// Quarantined is a row that could not be read. It holds nothing of the row's content.
type Quarantined struct {
	Dataset string           `json:"dataset"`
	File    string           `json:"file"`
	Row     int              `json:"row"`
	Column  string           `json:"column"`
	Reason  normalise.Reason `json:"reason"`
}

// String says it in words.
func (q Quarantined) String() string {
	return fmt.Sprintf("%s, row %d: `%s`: %s", q.File, q.Row, q.Column, q.Reason.Explain())
}

// ReasonCount is how many rows were quarantined for one reason in one column.
type ReasonCount struct {
	Column   string           `json:"column"`
	Reason   normalise.Reason `json:"reason"`
	Rows     int              `json:"rows"`
	FirstRow int              `json:"first_row"`
}

// CountReasons sums quarantined rows up, the commonest first.
func CountReasons(rows []Quarantined) []ReasonCount {
	var out []ReasonCount
	at := map[Quarantined]int{}
	for _, q := range rows {
		key := Quarantined{Column: q.Column, Reason: q.Reason}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, ReasonCount{Column: q.Column, Reason: q.Reason, FirstRow: q.Row})
		}
		out[i].Rows++
		out[i].FirstRow = min(out[i].FirstRow, q.Row)
	}
	slices.SortFunc(out, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Column, b.Column), strings.Compare(string(a.Reason), string(b.Reason)))
	})
	return out
}

// QuarantineError says that too many rows of a file cannot be read for the rest to be trusted.
type QuarantineError struct {
	File       string
	Dataset    string
	Rows       int
	Quarantine []Quarantined
}

// Error names the commonest reasons, with a row of each.
func (e *QuarantineError) Error() string {
	counts := CountReasons(e.Quarantine)
	reasons := make([]string, 0, 3)
	for _, c := range counts[:min(3, len(counts))] {
		reasons = append(reasons, fmt.Sprintf("`%s` %s (%d rows, the first is row %d)", c.Column, c.Reason.Explain(), c.Rows, c.FirstRow))
	}
	return fmt.Sprintf("%s: %d of %d rows cannot be read, so none was taken: %s. Export the report again; if the portal really prints it so, docs/import.md says what is accepted",
		e.File, len(e.Quarantine), e.Rows, strings.Join(reasons, "; "))
}
