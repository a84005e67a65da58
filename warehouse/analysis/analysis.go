// Package analysis computes the models' figures over any file of events, durations or invoices: the same SQL macros, so that
// what a statistician finds here holds for a clinic's marts too. It knows no lake and no clinic.
package analysis

import (
	"context"
	"fmt"
	"io/fs"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
)

// Input says what the rows of a file are.
type Input string

// The inputs, with the columns that are read. Others are not looked at.
const (
	Events    Input = "events"    // entity, date
	Durations Input = "durations" // time, event, and group where there is one
	Invoices  Input = "invoices"  // invoice, invoice_date, due_date, settled_date, amount
)

// Metric says what is computed.
type Metric string

// The metrics.
const (
	Retention Metric = "retention" // of events
	Survival  Metric = "survival"  // of events and durations
	Alive     Metric = "alive"     // of events
	Status    Metric = "status"    // of events
	Incidence Metric = "incidence" // of durations whose event says which of several it was
	Aging     Metric = "aging"     // of invoices
)

// Metrics lists what can be computed of an input.
func Metrics(of Input) []Metric {
	switch of {
	case Events:
		return []Metric{Retention, Survival, Alive, Status}
	case Durations:
		return []Metric{Survival, Incidence}
	case Invoices:
		return []Metric{Aging}
	default:
		return nil
	}
}

// Definition says when an entity that stays away has lapsed.
type Definition string

// The definitions: at the last visit, or FalloffDays after the first gap of more than FalloffDays began.
const (
	LastVisit  Definition = "last_visit"
	FirstLapse Definition = "first_lapse"
)

// Basis says from which day an invoice's age is counted.
type Basis string

// The bases.
const (
	InvoiceDate Basis = "invoice"
	DueDate     Basis = "due"
)

// Request is one question.
type Request struct {
	// File is CSV (RFC 4180, with a header line) or Parquet; which, its first bytes say.
	File   string
	Input  Input
	Metric Metric
	// AsOf is the day D of events and invoices: what comes later has not happened.
	AsOf civil.Date
	// Definition and FalloffDays are for Survival of events.
	Definition  Definition
	FalloffDays int
	// Model, UnitDays (1 or 7), Parameters (fitted where nil) and HorizonDays are for Alive.
	Model       bgnbd.Model
	UnitDays    int
	Parameters  *bgnbd.Parameters
	HorizonDays float64
	// Basis is for Aging.
	Basis Basis
	// Macros is the tree whose macros are used; nil is the program's own.
	Macros fs.FS
}

// InputError says what is wrong in a file, and where. It repeats no cell, which may hold a name.
type InputError struct {
	File string
	// Row is as a spreadsheet counts: a CSV's header is row 1, a Parquet file's first row too. 0 is the whole file.
	Row    int64
	Column string
	Text   string
}

func (e *InputError) Error() string {
	where := e.File
	if e.Row > 0 {
		where += fmt.Sprintf(", row %d", e.Row)
	}
	if e.Column != "" {
		where += ", column " + e.Column
	}
	return where + ": " + e.Text
}

// Answer is where the rows go.
type Answer struct {
	// Header is called once, before the first row.
	Header func(columns []string) error
	// Row is called for each row: text, int64, float64, DuckDB decimals, or nil.
	Row func(values []any) error
	// Fitted is called when parameters were fitted. Nil is fine.
	Fitted func(bgnbd.Fit)
}

// Run reads the file and answers. What is wrong in the file is an *InputError; then no row was given out.
func Run(ctx context.Context, q Request, to Answer) error {
	macros := q.Macros
	if macros == nil {
		macros = sql.Files()
	}
	db, err := open(ctx, macros)
	if err != nil {
		return err
	}
	defer db.close()
	columns, err := db.load(ctx, q)
	if err != nil {
		return err
	}
	switch q.Metric {
	case Retention:
		return db.retention(ctx, q, to)
	case Survival:
		if q.Input == Durations {
			return db.survival(ctx, columns, to)
		}
		return db.survivalOfEvents(ctx, q, to)
	case Incidence:
		return db.incidence(ctx, columns, to)
	case Alive:
		return db.alive(ctx, q, to)
	case Status:
		return db.status(ctx, q, to)
	case Aging:
		return db.aging(ctx, q, to)
	default:
		return fmt.Errorf("metric %q is not known", q.Metric)
	}
}
