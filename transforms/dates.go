package transforms

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// rangeInName is how the portal puts a report's range into its file name.
var rangeInName = regexp.MustCompile(`(?:^|\D)(\d{8})[_-](\d{8})(?:\D|$)`)

// windowOfName reads the range from a file name.
func windowOfName(name string) (extractors.Window, bool) {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	for _, m := range rangeInName.FindAllStringSubmatch(base, -1) {
		from, errFrom := time.Parse("20060102", m[1])
		to, errTo := time.Parse("20060102", m[2])
		if errFrom == nil && errTo == nil && !to.Before(from) {
			return extractors.Window{From: civil.DateOf(from), To: civil.DateOf(to)}, true
		}
	}
	return extractors.Window{}, false
}

// windowOfPreamble reads a `Date range: A to B` row above the header; the parts may lie in several cells.
func (r *reading) windowOfPreamble() (extractors.Window, bool) {
	for _, cells := range r.table.Preamble {
		line := strings.TrimSpace(strings.Join(cells, " "))
		label, rest, ok := strings.Cut(line, ":")
		if !ok {
			label, rest = "date range", strings.TrimPrefix(strings.ToLower(line), "date range")
		}
		if fold(label) != "date range" {
			continue
		}
		for _, separator := range []string{" to ", " - ", " – ", " — ", ".."} {
			a, b, ok := strings.Cut(rest, separator)
			if !ok {
				continue
			}
			from, badFrom := r.clock.Day([]byte(a))
			to, badTo := r.clock.Day([]byte(b))
			if badFrom == "" && badTo == "" && from <= to {
				return extractors.Window{From: contract.DateOf(from), To: contract.DateOf(to)}, true
			}
		}
	}
	return extractors.Window{}, false
}

// needRange are the datasets whose rows hold no day of their own, or none that tells when they were printed.
var needRange = []string{
	contract.Shifts, contract.Policies, contract.Credits, contract.AccountsReceivable, contract.UnscheduledPatients,
}

// window finds the range that the file is about before its rows are read.
func (r *reading) window(report extractors.Report) error {
	r.rangeFrom, r.rangeTo = noDay, noDay
	inPreamble, hasPreamble := r.windowOfPreamble()
	inName, hasName := windowOfName(report.Name)
	switch {
	case !report.Range.IsZero():
		r.batch.Covers = report.Range
		shown, has := inPreamble, hasPreamble
		if !has {
			shown, has = inName, hasName
		}
		// Filters are remembered from one report to the next: an export of another range must not pass for this one.
		if has && report.Complete && (report.Range.From.Before(shown.From) || report.Range.To.After(shown.To)) {
			return &extractors.Failure{Cause: extractors.ExportIncomplete, Doing: "reading " + report.Name,
				Err:  fmt.Errorf("%s was asked for, the file is about %s", report.Range, shown),
				Hint: "Reset the report's filters and export it again"}
		}
	case hasName:
		r.batch.Covers = inName
	case hasPreamble:
		r.batch.Covers = inPreamble
	case slices.Contains(needRange, r.layout.Name):
		return &tabular.Error{File: report.Name, Problem: fmt.Sprintf("nothing tells which days this %s report is about", r.layout.Report),
			Hint: "Keep the name that the portal gave it, which ends in the first and the last day, such as _20260901_20260930.csv"}
	default:
		return nil
	}
	r.rangeFrom, r.rangeTo = contract.DayOf(r.batch.Covers.From), contract.DayOf(r.batch.Covers.To)
	return nil
}

// maxLag is how long after its range's end an export is believed to have been made on the word of its rows. A date
// further off is a typing mistake, and must not make this file the newest for ever.
const maxLag = 366

// finish puts the rows in order, and says when they were seen.
func (r *reading) finish(report extractors.Report) {
	b := r.batch
	if b.Covers.IsZero() && r.firstDay != noDay {
		b.Covers = extractors.Window{From: contract.DateOf(r.firstDay), To: contract.DateOf(r.lastDay)}
	}
	observed, covered := r.observed(), r.covered()
	if report.ObservedOn != (civil.Date{}) {
		observed, covered = contract.DayOf(report.ObservedOn), contract.DayOf(report.ObservedOn)
	}
	if observed != noDay {
		b.ObservedOn, b.ReportDate = contract.DateOf(observed), contract.DateOf(covered)
	}
	if r.layout.Name == contract.AccountsReceivable && r.firstDay != noDay && r.firstDay < r.rangeFrom {
		b.Covers.From = contract.DateOf(r.firstDay) // it is asked for as of a day, and tells of all months before
	}
	r.finishRows()
	stamp(b.Appointments, observed, func(a *contract.Appointment) *int32 { return &a.ObservedOn })
	stamp(b.InvoiceLines, observed, func(l *contract.InvoiceLine) *int32 { return &l.ObservedOn })
	stamp(b.Claims, observed, func(c *contract.Claim) *int32 { return &c.ObservedOn })
	stamp(b.Policies, observed, func(p *contract.Policy) *int32 { return &p.ObservedOn })
	stamp(b.Shifts, observed, func(s *contract.Shift) *int32 { return &s.ObservedOn })
	stamp(b.Payments, observed, func(p *contract.Payment) *int32 { return &p.ObservedOn })
	stamp(b.AppliedPayments, observed, func(a *contract.AppliedPayment) *int32 { return &a.ObservedOn })
	stamp(b.Adjustments, observed, func(a *contract.Adjustment) *int32 { return &a.ObservedOn })
	stamp(b.Credits, observed, func(c *contract.Credit) *int32 { return &c.ObservedOn })
	stamp(b.Receivables, observed, func(m *contract.Receivable) *int32 { return &m.ObservedOn })
	stamp(b.Unscheduled, observed, func(u *contract.UnscheduledPatient) *int32 { return &u.ObservedOn })
	stamp(b.Activity, observed, func(a *contract.Activity) *int32 { return &a.ObservedOn })
	stamp(b.Identities, observed, func(i *contract.Identified) *int32 { return &i.ObservedOn })
	r.headers()
}

// stamp dates every row.
func stamp[T any](rows []T, day int32, field func(*T) *int32) {
	for i := range rows {
		*field(&rows[i]) = day
	}
}

// covered is the newest day that the file covers. An appointments report holds bookings ahead, so there it is the
// newest day on which something happened; elsewhere it is the end of the range.
func (r *reading) covered() int32 {
	switch {
	case r.layout.Name != contract.Appointments && r.rangeTo != noDay:
		return r.rangeTo
	case r.layout.Name == contract.Appointments && r.lastEvent != noDay:
		return r.lastEvent
	}
	return max(r.lastDay, r.lastEvent)
}

// liveOn are the datasets whose rows go on changing after their own day, and date the change.
var liveOn = []string{contract.Claims, contract.InvoiceLines, contract.Payments, contract.AppliedPayments}

// observed is the day whose end the rows show. An old range that was exported again later shows it by its claims'
// answers and new invoices.
func (r *reading) observed() int32 {
	day := r.covered()
	if slices.Contains(liveOn, r.layout.Name) && day != noDay && r.lastEvent > day && r.lastEvent <= day+maxLag {
		return r.lastEvent
	}
	return day
}
