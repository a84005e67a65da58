// Package contract says what may be stored: the datasets, their columns, and how sensitive each is.
//
// It is the one description that the parser, the lake, the SQL layer and the documentation share. Every dataset is a Go
// struct whose parquet tags are the stored schema, beside a Dataset value that gives each column its meaning, unit and
// source header. Money is integer cents; instants are UTC; civil days are the clinic's local days; free text does not
// exist. A source header that no column names is dropped and counted.
package contract

// Sensitivity says who a column speaks about.
type Sensitivity string

// Sensitivities, from harmless to never stored.
const (
	// Public says nothing about anyone.
	Public Sensitivity = "public"
	// Business is the clinic's own business: prices, staff names, locations.
	Business Sensitivity = "business"
	// Pseudonym is a keyed pseudonym of a person, payer or policy.
	Pseudonym Sensitivity = "pseudonym"
	// Identity says who a person is. Such columns are stored only while the clinic has chosen so.
	Identity Sensitivity = "identity"
	// Forbidden is never read past the parser; such columns exist in the contract only to say so.
	Forbidden Sensitivity = "forbidden"
)

// Column is one stored column of a dataset, or one source header that is known and refused.
type Column struct {
	// Name is the stored name, empty for a forbidden header.
	Name string
	// Type is the stored type as SQL calls it.
	Type string
	// Unit is what a number counts (cents, minutes, days), empty where there is none.
	Unit string
	// Nullable says whether the source may leave it out.
	Nullable    bool
	Sensitivity Sensitivity
	// Headers are the source headers that fill it, in the portal's own spelling; the first is the usual one. Empty for
	// a derived column.
	Headers []string
	// Required says that a report without this header is refused.
	Required bool
	// Meaning is one sentence for the schema documentation.
	Meaning string
}

// Dataset describes one kind of row.
type Dataset struct {
	// Name is the dataset's folder in the lake and its table name in SQL.
	Name string
	// Report is the portal's name of the report that it comes from, as file names carry it.
	Report string
	// Grain says what one row is.
	Grain   string
	Columns []Column
}

// Required lists the headers without which a file is not this dataset.
func (d Dataset) Required() []string {
	var out []string
	for _, c := range d.Columns {
		if c.Required {
			out = append(out, c.Headers[0])
		}
	}
	return out
}

// Names of the datasets.
const (
	Appointments = "appointments"
	InvoiceLines = "invoice_lines"
	Claims       = "claims"
	Policies     = "policies"
	// Shifts are hours by the day, ShiftPeriods the totals of longer periods. They are two tables because a complete report
	// of a day knows nothing of the month around it; the model staging.shifts makes one of them.
	Shifts       = "shifts"
	ShiftPeriods = "shift_periods"
	Insurers     = "insurers"

	Payments        = "payments"
	AppliedPayments = "applied_payments"
	// Adjustments and WriteOffs come from two reports and have equal columns. They are two tables because a complete report
	// of one knows nothing of the other; the model staging.adjustments makes one of them.
	Adjustments        = "adjustments"
	WriteOffs          = "write_offs"
	Credits            = "credits"
	AccountsReceivable = "accounts_receivable"

	UnscheduledPatients = "unscheduled_patients"
	PortalActivity      = "portal_activity"
	AccessLedger        = "access_ledger"
	LeakStates          = "leak_states"
	Identities          = "identities"
)

// Undated is the partition of rows that belong to no month.
const Undated = "undated"

// Row is what the lake needs to know of a typed row to place and merge it. Rows of one dataset with equal Key are
// versions of the same thing; Merge decides between them by Observed, then by content, so that the order in which files
// arrive does not matter.
type Row interface {
	// Key identifies the thing the row describes, unique in the dataset. Rows that the source prints as one unit (a
	// group appointment's seats) share Unit, and a newer observation of the unit replaces all of it.
	Key() string
	// Unit identifies what the source prints as one row; equal to Key where one source row is one stored row.
	Unit() string
	// Day is the day (days since 1970-01-01) by which the row is partitioned, sorted and covered; math.MinInt32 where
	// it has none.
	Day() int32
	// Patient is the pseudonym the row is about, empty where none.
	PatientRef() string
	// Observed is the report date (days since 1970-01-01) on which the row was seen in this form.
	Observed() int32
}
