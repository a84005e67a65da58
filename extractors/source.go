// Package extractors brings report files out of a practice-management system, or out of a folder that a person exported
// them to, without looking inside them.
//
// A Source yields Reports: whole export files, held in memory because they carry names that must never reach a disk.
// Reading them is the job of package transforms, which is the privacy boundary. Sub-packages are named after what they
// talk to: jane (the portal, through browser), files (a folder), simclinic (a simulated clinic, for tests and the demo).
package extractors

import (
	"context"
	"fmt"

	"cloud.google.com/go/civil"
)

// Window is a range of civil days in the clinic's zone, both ends included.
type Window struct {
	From, To civil.Date
}

// Days is the number of days in the window, zero or less when it is empty.
func (w Window) Days() int { return w.To.DaysSince(w.From) + 1 }

// IsZero reports whether the window is not set.
func (w Window) IsZero() bool { return w == Window{} }

// Contains reports whether d lies in the window.
func (w Window) Contains(d civil.Date) bool { return !d.Before(w.From) && !d.After(w.To) }

// String prints the window as `2026-01-01..2026-03-31`, the form that flags accept.
func (w Window) String() string { return w.From.String() + ".." + w.To.String() }

// ParseWindow reads `FROM..TO` with dates as YYYY-MM-DD.
func ParseWindow(text string) (Window, error) {
	var w Window
	var err error
	if len(text) != len("2026-01-01..2026-03-31") || text[10:12] != ".." {
		return w, fmt.Errorf("range %q: write it as FROM..TO, for example 2026-01-01..2026-03-31", text)
	}
	if w.From, err = civil.ParseDate(text[:10]); err != nil {
		return w, fmt.Errorf("range %q: the first date is not YYYY-MM-DD", text)
	}
	if w.To, err = civil.ParseDate(text[12:]); err != nil {
		return w, fmt.Errorf("range %q: the second date is not YYYY-MM-DD", text)
	}
	if w.To.Before(w.From) {
		return w, fmt.Errorf("range %q ends before it starts: swap the dates", text)
	}
	return w, nil
}

// A Report is one export file as it left the portal.
type Report struct {
	// Name is the file's name or, from a portal, the name it was offered under. It is shown to people in errors.
	Name string
	// Body is the whole file, CSV or XLSX; the reader decides which by its bytes, not by its name.
	Body []byte
	// Order is the ID of the order that the report fulfils, empty where none was given.
	Order string
	// Dataset is the contract's dataset name where the source knows it, empty where the header must tell.
	Dataset string
	// Range is what the source asked for, zero where it does not know; the reader then takes it from name or preamble.
	Range Window
	// Complete says that the file holds every row of Range, so that a row of that range that is missing here is gone.
	Complete bool
	// ObservedOn is the local day whose end the report shows (the report date), zero where unknown.
	ObservedOn civil.Date
	// StatedRows is the row count the portal promised ("X of Y"), negative where it promised none.
	StatedRows int
}

// A Source yields the reports of one clinic.
type Source interface {
	// Reports calls each for every report, one after the other, and stops at the first error. The callee must not keep
	// a Report's Body after it returns. Errors that a person or a schedule must tell apart are of type *Failure.
	Reports(ctx context.Context, each func(Report) error) error
}
