// Package transforms is the privacy boundary: an export file with names in it goes in, typed rows without identities
// come out.
//
// Read recognises which report a file is by its header, reads the columns that package contract stores, and steps over
// every other cell. Patients, insurers, policies and claims become keyed pseudonyms (package identity); payers that are
// persons, free text and names do not leave. A row that cannot be read goes to quarantine with a reason and no content;
// past a threshold the whole file is refused. The rows of a Batch depend on the file's content and the clinic's key and
// settings alone, not on the order of rows or columns.
package transforms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// Options says whose reports are read.
type Options struct {
	// Keys make the pseudonyms.
	Keys identity.Keys
	// Settings are the clinic's; currency, insurers and the name of its tax are taken from them.
	Settings settings.Clinic
	// Zone is the clinic's zone; nil takes the settings'.
	Zone *time.Location
	// KnownInsurers are insurers besides those in the settings. They matter only to invoice numbers without a side.
	KnownInsurers []string
	// Account is the name of the account that the reports were taken with. Of the portal's activity log only its lines are
	// read; without a name, none is.
	Account string
	// Identities says that the clinic has chosen to show first names (recovery mode). Otherwise the cell is stepped over.
	Identities bool
	// Erased says whether a patient with these pseudonyms, one for each version of the keys, was erased: such rows are read, counted and
	// left out. Nil is nobody.
	Erased func(pseudonyms []string) bool
	// Tolerance is how many rows may be unreadable before a file is refused; zero fields take the defaults.
	Tolerance Tolerance
	// Limits bounds what a file may unpack to; zero fields take the defaults.
	Limits tabular.Limits
}

// Tolerance is how many rows of a file may go to quarantine. A file is refused when both are exceeded, and in any case
// when more than half of its rows cannot be read.
type Tolerance struct {
	// Rows is a number of rows; 0 means 20.
	Rows int
	// Share is a part of all rows; 0 means 0.05.
	Share float64
}

// Transformer reads the reports of one clinic. It may be used concurrently.
type Transformer struct {
	keys      identity.Keys
	settings  settings.Clinic
	zone      *time.Location
	insurers  map[string]bool // by normalise.NameKey
	account   string
	names     bool
	erased    func(pseudonyms []string) bool
	tolerance Tolerance
	limits    tabular.Limits
	layouts   []layout
}

// New checks the options.
func New(o Options) (*Transformer, error) {
	if o.Keys.IsZero() {
		return nil, errors.New("preparing to read reports: there is no clinic key. Open the vault first")
	}
	if o.Settings.Currency == "" {
		return nil, errors.New("preparing to read reports: the clinic's currency is not known. Give a clinic.yaml with --settings")
	}
	if o.Zone == nil {
		zone, err := o.Settings.Zone()
		if err != nil {
			return nil, fmt.Errorf("preparing to read reports: %w", err)
		}
		o.Zone = zone
	}
	if o.Tolerance.Rows <= 0 {
		o.Tolerance.Rows = 20
	}
	if o.Tolerance.Share <= 0 {
		o.Tolerance.Share = 0.05
	}
	t := &Transformer{keys: o.Keys, settings: o.Settings, zone: o.Zone, insurers: map[string]bool{}, account: o.Account,
		names: o.Identities, erased: o.Erased, tolerance: o.Tolerance, limits: o.Limits, layouts: layouts(o.Settings.TaxName)}
	for _, names := range [][]string{o.Settings.KnownInsurers(), o.KnownInsurers} {
		for _, n := range names {
			if name, reason := normalise.Name([]byte(n)); reason == "" {
				t.insurers[normalise.NameKey(string(name))] = true
			}
		}
	}
	return t, nil
}

// ErrNotAReport is wrapped by the error of a file whose header is not that of any report: a file that somebody else put
// into the folder.
var ErrNotAReport = tabular.ErrNoHeader

// ErrNoRows is wrapped by the error of an export that holds a header and nothing else, unless the portal promised none.
var ErrNoRows = errors.New("no rows")

// Read reads one report. Its errors name the file, the row where there is one, and what to do; they hold no cell. Typed
// ones are *HeaderError, *QuarantineError, *tabular.Error and, where the file is not what the portal promised,
// *extractors.Failure.
func (t *Transformer) Read(ctx context.Context, report extractors.Report) (*Batch, error) {
	finder := &headerFinder{layouts: t.layouts, identities: t.names}
	table, err := tabular.Open(report.Name, report.Body, finder.isHeader, t.limits)
	if err != nil {
		return nil, err
	}
	layout, columns, err := finder.choose(table, report.Dataset)
	if err != nil {
		return nil, err
	}
	r := &reading{
		t: t, table: table, layout: layout, columns: columns,
		clock: normalise.Clock{Zone: t.zone, Date1904: table.Date1904},
		batch: &Batch{Dataset: layout.Name, File: report.Name, Format: table.Format, Complete: report.Complete, Remarks: map[Remark]int{}},
		texts: map[string]string{}, patients: map[string]*string{}, payers: map[string]*payer{}, identifiers: map[string]*string{},
		identified: map[string]named{}, firstDay: noDay, lastDay: noDay, lastEvent: noDay,
	}
	table.Keep(columns.kept)
	if err := r.window(report); err != nil {
		return nil, err
	}
	if err := r.readRows(ctx); err != nil {
		return nil, err
	}
	if err := r.checkCounts(report); err != nil {
		return nil, err
	}
	r.finish(report)
	if repeated := r.batch.Remarks[RepeatedRow]; repeated > 0 && report.Complete && report.StatedRows >= 0 {
		// The number of rows is right and yet a row is missing: another one stands in its place.
		return nil, &extractors.Failure{Cause: extractors.ExportIncomplete, Doing: "reading " + report.Name,
			Err: fmt.Errorf("%d of its %d rows are there twice", repeated, r.batch.Rows), Hint: "Export it again"}
	}
	if err := r.plausible(); err != nil {
		return nil, err
	}
	if len(r.erased) > 0 {
		r.batch.Erased = r.batch.LeaveOut(func(patient string) bool { return r.erased[patient] })
	}
	return r.batch, nil
}

// readRows reads every row into the batch's typed slice.
func (r *reading) readRows(ctx context.Context) error {
	readers := map[string]func(*reading) func(){
		contract.Appointments: (*reading).appointmentRow, contract.InvoiceLines: (*reading).invoiceLineRow,
		contract.Claims: (*reading).claimRow, contract.Policies: (*reading).policyRow, contract.Shifts: (*reading).shiftRow,
		contract.Payments: (*reading).paymentRow, contract.AppliedPayments: (*reading).appliedRow,
		contract.Adjustments: (*reading).adjustmentRow, contract.WriteOffs: (*reading).adjustmentRow,
		contract.Credits: (*reading).creditRow, contract.AccountsReceivable: (*reading).receivableRow,
		contract.UnscheduledPatients: (*reading).unscheduledRow, contract.PortalActivity: (*reading).activityRow,
	}
	reader, ok := readers[r.layout.Name]
	if !ok {
		return fmt.Errorf("reading %s: no reader for %s", r.table.Name, r.layout.Name)
	}
	one := reader(r)
	for r.table.Next() {
		if r.table.Rows()%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("reading %s: %w", r.table.Name, ctx.Err())
		}
		r.badColumn, r.badReason = nowhere, ""
		one()
		if r.badReason != "" {
			r.quarantine()
		}
	}
	return r.table.Err()
}

// mayBeEmpty says whether an export without rows is nothing out of the ordinary: nobody worked that day, nothing was written off.
// An empty schedule or sales report is a wrong range.
func (r *reading) mayBeEmpty() bool {
	switch r.layout.Name {
	case contract.Appointments, contract.InvoiceLines, contract.Claims, contract.Policies, contract.AccountsReceivable:
		return false
	case contract.Shifts:
		return r.batch.Covers.Days() == 1
	}
	return true
}

// checkCounts refuses a file that holds other rows than promised, none, or too many that cannot be read.
func (r *reading) checkCounts(report extractors.Report) error {
	b := r.batch
	b.Rows = r.table.Rows()
	if report.StatedRows >= 0 && report.StatedRows != b.Rows {
		return &extractors.Failure{Cause: extractors.ExportIncomplete, Doing: "reading " + report.Name,
			Err:  fmt.Errorf("the portal promised %d rows, the file holds %d", report.StatedRows, b.Rows),
			Hint: "Export it again"}
	}
	if b.Rows == 0 && report.StatedRows != 0 && !r.mayBeEmpty() {
		return &tabular.Error{File: report.Name, Problem: fmt.Sprintf("the export of %s holds a header and no rows", r.layout.Report),
			Hint: "Choose a date range in which something happened, and export it again; leave the file out if there is nothing", Err: ErrNoRows}
	}
	bad := len(b.Quarantine)
	if (bad > r.t.tolerance.Rows && float64(bad) > r.t.tolerance.Share*float64(b.Rows)) || 2*bad > b.Rows {
		return &QuarantineError{File: report.Name, Dataset: b.Dataset, Rows: b.Rows, Quarantine: b.Quarantine}
	}
	return nil
}

// fold makes one of the spellings of a header.
func fold(header string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(header), func(c rune) bool {
		return c == ' ' || c == '_' || c == '\t' || c == '\n' || c == '\r' || c == '\u00a0'
	}), " ")
}
