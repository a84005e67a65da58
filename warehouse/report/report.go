package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cloud.google.com/go/civil"
)

// Format is what a report is written as.
type Format string

// The formats there are.
const (
	HTML Format = "html"
	PDF  Format = "pdf"
)

// Paper is what a report is laid out for.
type Paper string

// The papers there are.
const (
	A4     Paper = "a4"
	Letter Paper = "letter"
)

// Print lays a page out and gives it as a PDF that is tagged and has an outline. Footer is HTML with the classes pageNumber and
// totalPages, as Chromium takes it.
type Print func(ctx context.Context, page []byte, paper Paper, footer string) ([]byte, error)

// Options say what a report is of, for whom, and what it looks like.
type Options struct {
	// Clinic is the clinic's id, Month any day of the month.
	Clinic string
	Month  civil.Date
	Format Format
	// Language is English where it is empty. Country is the ISO code of the clinic's country, whose form of dates and paper the report
	// has; where it is empty the currency says it. Paper overrides that.
	Language Language
	Country  string
	Paper    Paper
	// For names the person whom it is for, as the report says it: a login or a role, never a patient.
	For string
	// Ask answers as that person may see it.
	Ask Ask
	// Print is needed for PDF.
	Print Print
	// Now is when it is prepared.
	Now time.Time
}

// Made says what was made: for an audit record, and for whoever sends it.
type Made struct {
	// Snapshot names the commit whose figures it has, AsOf their day.
	Snapshot string
	AsOf     civil.Date
	// Queries is how many named queries it was made of, Withheld how many rows of them have their numbers withheld.
	Queries, Withheld int
	Title             string
}

// ErrNoFigures says that the snapshot has nothing of a month.
var ErrNoFigures = errors.New("there are no figures of that month")

// Write makes a report and writes it, whole, when it is made. It writes nothing where something fails. Errors are ErrNoFigures, ErrMoved,
// those of Ask and Print, and the context's.
func Write(ctx context.Context, w io.Writer, o Options) (*Made, error) {
	page, made, err := Make(ctx, o)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(page); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return made, nil
}

// Make is Write for a caller that has something to do before the report is handed out.
func Make(ctx context.Context, o Options) ([]byte, *Made, error) {
	if o.Format != HTML && o.Format != PDF {
		return nil, nil, fmt.Errorf("there is no format %q: use html or pdf", o.Format)
	}
	if o.Format == PDF && o.Print == nil {
		return nil, nil, errors.New("a PDF needs a browser that prints it")
	}
	doc, made, paper, err := compose(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	var page bytes.Buffer
	if err := doc.render(&page, paper); err != nil {
		return nil, nil, err
	}
	if o.Format == HTML {
		return page.Bytes(), made, nil
	}
	printed, err := o.Print(ctx, page.Bytes(), paper, doc.footer())
	if err != nil {
		return nil, nil, fmt.Errorf("printing the report: %w", err)
	}
	return printed, made, nil
}

// compose asks for the figures and says them.
func compose(ctx context.Context, o Options) (*document, *Made, Paper, error) {
	w, err := readWords()
	if err != nil {
		return nil, nil, "", err
	}
	asking, err := newAsker(ctx, o.Ask, o.Clinic)
	if err != nil {
		return nil, nil, "", err
	}
	month := civil.Date{Year: o.Month.Year, Month: o.Month.Month, Day: 1}
	if month.After(asking.about.asOf) {
		return nil, nil, "", fmt.Errorf("%w: the data ends on %s", ErrNoFigures, asking.about.asOf)
	}
	f, err := asking.gather(ctx, month)
	if err != nil {
		return nil, nil, "", err
	}
	if o.Language == "" {
		o.Language = English
	}
	c := &composer{words: w, form: newForm(o.Language, f.about.currency, o.Country), f: f, asked: asking, options: o}
	doc, err := c.document()
	if err != nil {
		return nil, nil, "", err
	}
	made := &Made{Snapshot: f.about.Commit, AsOf: f.about.asOf, Queries: len(asking.asked), Title: doc.Title}
	for _, n := range asking.withheld {
		made.Withheld += n
	}
	paper := o.Paper
	if paper == "" {
		paper = A4
		if at := countryOf(o.Country, f.about.currency); at == "US" || at == "CA" {
			paper = Letter
		}
	}
	return doc, made, paper, nil
}
