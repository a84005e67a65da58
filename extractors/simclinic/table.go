package simclinic

import (
	"fmt"
	"slices"
	"strconv"

	"cloud.google.com/go/civil"
)

// Names of the reports, as file names and the portal's routes carry them.
const (
	Appointments = "appointments"
	Sales        = "sales"
	Claims       = "claims"
	Policies     = "insurance_policies"
	Hours        = "shift"
	Transactions = "transactions"
	Applied      = "applied_unapplied_payments"
	Adjustments  = "adjustments"
	WriteOffs    = "write_off"
	Credits      = "credit"
	Receivables  = "accounts_receivable"
	Unscheduled  = "unscheduled_patients"
)

// Reports lists every report that a clinic offers, in the order in which Export writes them.
func Reports() []string {
	return []string{
		Appointments, Sales, Claims, Policies, Hours, Transactions, Applied, Adjustments, WriteOffs, Credits, Receivables, Unscheduled,
	}
}

// AsOf says that a report shows how things stand at the end of a range's last day, whatever its first.
func AsOf(report string) bool {
	return report == Credits || report == Receivables || report == Unscheduled
}

// CellKind says how a Cell is to be read and printed.
type CellKind uint8

// The kinds of cell. The comment says what Number holds; the kinds without one use Text.
const (
	Blank   CellKind = iota // nothing
	Text                    // text as it is
	State                   // a state in its plain spelling (`no_show`), which a Style may spell otherwise; Number varies it
	Integer                 // the integer
	Money                   // cents
	Minutes                 // minutes, printed as decimal hours
	Day                     // days since 1970-01-01
	Instant                 // seconds since 1970-01-01 00:00:00 UTC
	Flag                    // 0 or 1
)

// Cell is one typed value of a report.
type Cell struct {
	Kind   CellKind
	Text   string
	Number int64
}

// String prints the cell in the plainest way: no style, instants in UTC.
func (c Cell) String() string {
	var p printer
	return string(p.append(nil, "", c))
}

// Table is one report over one range of days, typed, in the report's usual column order. A Style comes in only when it
// is printed, except that a style with an extra column has added it here as the last one.
type Table struct {
	// Report is one of Reports.
	Report string
	// From and To are the range that was asked for, both ends included: service days for appointments, purchase days
	// for sales, service days for claims, worked days for shift, payment days for transactions and applied payments, days of
	// the adjustment for adjustments and write-offs. Credits, receivables and unscheduled patients are as of To. Policies are
	// as of the report date whatever the range.
	From, To civil.Date
	Headers  []string
	Rows     [][]Cell
}

// Column is the place of a header, or -1.
func (t Table) Column(header string) int { return slices.Index(t.Headers, header) }

// Table makes one report over a range of days, both ends included. An unknown report or a range that ends before it
// starts is an error; days outside the clinic's history are merely empty.
func (c *Clinic) Table(report string, from, to civil.Date) (Table, error) {
	listing, err := c.listing(report, from, to)
	if err != nil {
		return Table{}, err
	}
	table := Table{Report: report, From: from, To: to, Headers: listing.headers}
	err = listing.each(func(row []Cell) error {
		table.Rows = append(table.Rows, slices.Clone(row))
		return nil
	})
	return table, err
}

// listing is a report that has not been laid out in memory.
type listing struct {
	report   string
	from, to civil.Date
	headers  []string
	// each calls back with every row. The row is reused: the callee must not keep it.
	each func(func(row []Cell) error) error
}

func (c *Clinic) listing(report string, from, to civil.Date) (listing, error) {
	l := listing{report: report, from: from, to: to}
	if to.Before(from) {
		return l, fmt.Errorf("report %s: the range %v to %v ends before it starts", report, from, to)
	}
	first, last := dayOf(from), dayOf(to)
	extra := c.styleOf(report).Extra
	w := c.world
	switch report {
	case Appointments:
		l.headers = withExtra(appointmentHeaders, extra, "patient_mobile_phone")
		l.each = func(yield func([]Cell) error) error { return w.listAppointments(c.byStart, first, last, extra, yield) }
	case Sales:
		l.headers = withExtra(salesHeaders(w.dials.Tax.Name), extra, "Patient E-mail")
		l.each = func(yield func([]Cell) error) error { return w.listSales(c.byPurchase, first, last, extra, yield) }
	case Claims:
		l.headers = withExtra(claimHeaders, extra, "Diagnosis")
		l.each = func(yield func([]Cell) error) error { return w.listClaims(c.byService, first, last, extra, yield) }
	case Policies:
		l.headers = withExtra(policyHeaders, extra, "Date of Birth")
		l.each = func(yield func([]Cell) error) error { return w.listPolicies(extra, yield) }
	case Hours:
		l.headers = withExtra(hoursHeaders, extra, "Utilisation")
		l.each = func(yield func([]Cell) error) error { return w.listHours(c.byStart, first, last, extra, yield) }
	case Transactions:
		l.headers = withExtra(transactionHeaders, extra, "Card Number")
		l.each = func(yield func([]Cell) error) error { return w.listTransactions(first, last, extra, yield) }
	case Applied:
		l.headers = withExtra(appliedHeaders, extra, "Patient Phone")
		l.each = func(yield func([]Cell) error) error { return w.listApplied(first, last, extra, yield) }
	case Adjustments, WriteOffs:
		headers := adjustmentHeaders
		if report == WriteOffs {
			headers = writeOffHeaders
		}
		l.headers = withExtra(headers, extra, "Patient E-mail")
		l.each = func(yield func([]Cell) error) error {
			return w.listAdjustments(first, last, report == WriteOffs, extra, yield)
		}
	case Credits:
		l.headers = withExtra(creditHeaders, extra, "Patient E-mail")
		l.each = func(yield func([]Cell) error) error { return w.listCredits(last, extra, yield) }
	case Receivables:
		l.headers = withExtra(receivableHeaders, extra, "Months")
		l.each = func(yield func([]Cell) error) error { return w.listReceivables(last, extra, yield) }
	case Unscheduled:
		l.headers = withExtra(unscheduledHeaders, extra, "Address")
		l.each = func(yield func([]Cell) error) error { return w.listUnscheduled(last, extra, yield) }
	default:
		return l, fmt.Errorf("report %q is not known: ask for one of %v", report, Reports())
	}
	return l, nil
}

func withExtra(headers []string, extra bool, name string) []string {
	headers = slices.Clone(headers)
	if extra {
		headers = append(headers, name)
	}
	return headers
}

// Makers of cells.

func text(s string) Cell {
	if s == "" {
		return Cell{}
	}
	return Cell{Kind: Text, Text: s}
}

func number(n int64) Cell                    { return Cell{Kind: Integer, Number: n} }
func cents(n int64) Cell                     { return Cell{Kind: Money, Number: n} }
func minutes(n int64) Cell                   { return Cell{Kind: Minutes, Number: n} }
func onDay(d day) Cell                       { return Cell{Kind: Day, Number: int64(d)} }
func spelled(s string, variation int64) Cell { return Cell{Kind: State, Text: s, Number: variation} }

// day or nothing where it never comes.
func maybeDay(d day) Cell {
	if d == never {
		return Cell{}
	}
	return onDay(d)
}

// stamp is an instant, or nothing where there is none.
func stamp(m moment) Cell {
	if m == 0 {
		return Cell{}
	}
	return Cell{Kind: Instant, Number: int64(m)}
}

func flag(b bool) Cell {
	if b {
		return Cell{Kind: Flag, Number: 1}
	}
	return Cell{Kind: Flag}
}

func itoa(n int) string { return strconv.Itoa(n) }
