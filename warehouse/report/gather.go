package report

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"
)

// Bounds of what a report reads off.
const (
	curveDays  = 365
	curveEvery = 5 // days between the points of a curve: 42, 90, 180 and 365 are met or nearly so
	mostVisits = 12
	mostCurves = 4
	cohorts    = 12
	cohortSpan = 6 // months since the first visit
	monthsBack = 11
)

// figures are the answers that a report is made of. One that is nil may not be seen by the person, or is not in the snapshot.
type figures struct {
	about    about
	month    civil.Date // its first day
	monthEnd civil.Date
	// narrowed says that the person sees a caseload alone.
	narrowed bool
	// summaryBy is what summary puts side by side.
	summaryBy string

	waterfall, waterfallBefore *answer
	// leaks are by month and category, firm and likely together, over the run; byCertainty by month and certainty; estimates of the month.
	leaks, byCertainty, firm, estimates *answer
	total, byCategory, restated         *answer
	curves, visits, cohortCells         *answer
	summary, statuses, caseload         *answer
	aging, receivables                  *answer
	recoveries, wonBack                 *answer
	freshness                           *answer
}

// gather asks for everything that the report may show.
func (a *asker) gather(ctx context.Context, month civil.Date) (*figures, error) {
	f := &figures{about: a.about, month: month, monthEnd: lastOf(month)}
	f.narrowed = a.may["retention_curve"] && !a.may["outcomes"]
	runFrom, before := month.AddMonths(-monthsBack), month.AddMonths(-1)
	var none civil.Date
	curveGroup, visitGroup := "discipline", "all"
	f.summaryBy = "discipline"
	if f.narrowed {
		curveGroup, visitGroup, f.summaryBy = "staff_member", "staff_member", "staff_member"
	}
	questions := []struct {
		into     **answer
		name     string
		params   map[string]any
		from, to civil.Date
	}{
		{&f.waterfall, "money_waterfall", nil, month, f.monthEnd},
		{&f.waterfallBefore, "money_waterfall", nil, before, lastOf(before)},
		{&f.leaks, "leaks_by_month", map[string]any{"split": "category"}, runFrom, f.monthEnd},
		{&f.total, "leak_total", nil, none, none},
		{&f.byCategory, "leaks_by_category", nil, none, none},
		{&f.restated, "restatements", nil, none, none},
		{&f.curves, "retention_curve", map[string]any{"group": curveGroup, "days": curveDays, "every_days": curveEvery}, none, none},
		{&f.visits, "retention_by_visit", map[string]any{"group": visitGroup, "visits": mostVisits}, none, none},
		{&f.cohortCells, "cohort_heatmap", map[string]any{"months": cohortSpan, "cohorts": cohorts}, none, none},
		{&f.summary, "falloff_summary", map[string]any{"dimension": f.summaryBy}, none, none},
		{&f.statuses, "patient_status_counts", nil, none, none},
		{&f.caseload, "caseload_summary", nil, none, none},
		{&f.aging, "receivables_aging", nil, none, none},
		{&f.receivables, "receivables_summary", map[string]any{"side": "all"}, none, none},
		{&f.recoveries, "recoveries_by_month", nil, runFrom, f.monthEnd},
		{&f.wonBack, "patients_won_back", nil, runFrom, f.monthEnd},
		{&f.freshness, "freshness", nil, none, none},
	}
	for _, q := range questions {
		var err error
		*q.into, err = a.query(ctx, q.name, q.params, q.from, q.to)
		if errors.Is(err, errTellsTooMuch) && q.into == &f.summary {
			f.summaryBy = "beginning" // disciplines side by side are for who sees rows
			*q.into, err = a.query(ctx, q.name, map[string]any{"dimension": f.summaryBy}, q.from, q.to)
		}
		if err != nil {
			return nil, err
		}
	}
	return f, a.byCertainty(ctx, f, runFrom)
}

// byCertainty asks how sure the leaks are: what released tables do not tell.
func (a *asker) byCertainty(ctx context.Context, f *figures, runFrom civil.Date) (err error) {
	if f.leaks == nil || f.leaks.released {
		return nil
	}
	if f.byCertainty, err = a.query(ctx, "leaks_by_month", map[string]any{"split": "certainty"}, runFrom, f.monthEnd); err != nil {
		return err
	}
	if f.firm, err = a.query(ctx, "leaks_by_month", map[string]any{"split": "category", "certainty": "firm"}, f.month, f.monthEnd); err != nil {
		return err
	}
	f.estimates, err = a.query(ctx, "leaks_by_month", map[string]any{"split": "category", "certainty": "estimate"}, f.month, f.monthEnd)
	return err
}

// of are the rows of an answer that fit; none of one that is not there.
func (a *answer) of(fits func(row) bool) []row {
	if a == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.rows), func(r row) bool { return !fits(r) })
}

// sum adds up a column of rows.
func sum(rows []row, column string) (total int64) {
	for _, r := range rows {
		total += r.count(column)
	}
	return total
}

// inMonth fits the rows of a month.
func inMonth(month civil.Date) func(row) bool {
	return func(r row) bool { return r.day("month") == month }
}

// lastOf is the last day of a month, by its first.
func lastOf(first civil.Date) civil.Date { return first.AddMonths(1).AddDays(-1) }

// ParseMonth reads a month, YYYY-MM, and gives its first day.
func ParseMonth(text string) (civil.Date, error) {
	month, err := civil.ParseDate(text + "-01")
	if err != nil || len(text) != len("2006-01") {
		return civil.Date{}, fmt.Errorf("%q is no month: write it as YYYY-MM", text)
	}
	return month, nil
}
