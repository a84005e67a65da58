package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// CloseOptions say which month to close.
type CloseOptions struct {
	// Month is YYYY-MM, By who closes it.
	Month, By string
	Progress  Progress
	// Confirmed is asked with what would be published, before anything is; an error leaves the month open. Nil asks nobody.
	Confirmed func(ctx context.Context, m ClosedMonth) error
}

// ClosedMonth is a month whose published figures are fixed.
type ClosedMonth struct {
	Month    string     `json:"month"`
	ClosedAt time.Time  `json:"closed_at"`
	By       string     `json:"closed_by,omitempty"`
	AsOf     civil.Date `json:"as_of"`
	// Input is the commit whose data the figures came from, Built the one that had the marts.
	Input int64 `json:"input"`
	Built int64 `json:"built"`
	// Sums are over all dimensions, estimates apart.
	Sums []FigureSum `json:"sums"`
	// Restatements counts the changes since, each of one figure.
	Restatements int `json:"restatements"`
	// Retired says that its data was removed at the end of its retention period: nothing restates it any more.
	Retired bool `json:"retired,omitempty"`
}

// FigureSum is one figure of a month over all that it is split by: as it was published, and as it is now.
type FigureSum struct {
	Figure    string `json:"figure"`
	Unit      string `json:"unit"`
	Currency  string `json:"currency,omitempty"`
	Published int64  `json:"published"`
	Restated  int64  `json:"restated"`
}

// Money finds the sum of a figure that is money, nothing where the month has none.
func (m ClosedMonth) Money(figure string) FigureSum {
	none := FigureSum{Figure: figure, Unit: unitCents}
	for _, s := range m.Sums {
		if s.Figure == figure {
			return s
		}
		if s.Unit == unitCents {
			none.Currency = s.Currency
		}
	}
	return none
}

// unitCents is the unit of figures that are money.
const unitCents = "cents"

// summary is what a person is shown of a closed month.
func (m *closedMonth) summary() ClosedMonth {
	out := ClosedMonth{
		Month: m.month, ClosedAt: m.closing.At.UTC(), By: m.closing.By, AsOf: m.closing.AsOf, Input: m.closing.Input, Built: m.closing.Built,
		Restatements: len(m.history), Retired: m.closing.Retired,
	}
	for _, f := range m.figures() {
		name := f.FigureName.Figure
		if f.Detail == "estimate" {
			name += "_estimate" // never added to what is owed
		}
		at := slices.IndexFunc(out.Sums, func(s FigureSum) bool { return s.Figure == name && s.Currency == f.Currency })
		if at < 0 {
			at = len(out.Sums)
			out.Sums = append(out.Sums, FigureSum{Figure: name, Unit: f.Unit, Currency: f.Currency})
		}
		out.Sums[at].Published += f.Amount
		out.Sums[at].Restated += f.Restated
	}
	slices.SortFunc(out.Sums, func(a, b FigureSum) int {
		return cmp.Or(strings.Compare(a.Figure, b.Figure), strings.Compare(a.Currency, b.Currency))
	})
	return out
}

// AlreadyClosedError says that a month was closed before, and what was published.
type AlreadyClosedError struct{ Closed ClosedMonth }

func (e *AlreadyClosedError) Error() string {
	by := ""
	if e.Closed.By != "" {
		by = " by " + e.Closed.By
	}
	var sums []string
	for _, s := range e.Closed.Sums {
		if s.Unit == unitCents {
			sums = append(sums, fmt.Sprintf("%s %d.%02d %s", s.Figure, s.Published/100, max(s.Published%100, -s.Published%100), s.Currency))
		}
	}
	return fmt.Sprintf("%s was closed on %s%s as of %s (%s): what is published stays. Later corrections are restatements: falloff close --list shows them",
		e.Closed.Month, e.Closed.ClosedAt.Format(time.DateOnly), by, e.Closed.AsOf, strings.Join(sums, ", "))
}

// closableMonth is how a month is written.
var closableMonth = regexp.MustCompile(`^[1-9]\d{3}-(0[1-9]|1[0-2])$`)

// CloseMonth publishes the figures of a month that the newest build has, for good: no later data changes them. The month must be
// complete in them, and the build one of the newest data.
func (s *Site) CloseMonth(ctx context.Context, o CloseOptions) (*ClosedMonth, error) {
	for {
		closed, err := s.closeMonth(ctx, o)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// The marts that show closed months show it from the next build on, and that is now.
		if _, err := s.Build(ctx, BuildOptions{Progress: o.Progress}); err != nil {
			return nil, fmt.Errorf("%s is closed; showing it failed, and the next falloff build does: %w", o.Month, err)
		}
		return closed, nil
	}
}

func (s *Site) closeMonth(ctx context.Context, o CloseOptions) (*ClosedMonth, error) {
	doing := "closing " + o.Month
	if !closableMonth.MatchString(o.Month) {
		return nil, refused("closing a month", fmt.Errorf("%q is no month: write it as YYYY-MM, such as 2026-01", o.Month))
	}
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage(doing, err)
	}
	snapshot := s.Clinic.Snapshot(head)
	if _, closed := head.Closed[o.Month]; closed {
		months, err := readClosings(ctx, snapshot)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(months, func(m *closedMonth) bool { return m.month == o.Month })
		return nil, refused("", &AlreadyClosedError{months[at].summary()})
	}
	month, closing, err := s.closable(ctx, snapshot, o.Month)
	if err != nil {
		return nil, err
	}
	closing.By, closing.At = o.By, s.clock().UTC().Truncate(time.Second)
	body, err := encodeClosing(publishedMonth{closingFormat, o.Month, closing.AsOf, closing.Input, month.Figures})
	if err != nil {
		return nil, err
	}
	out := (&closedMonth{month: o.Month, closing: closing, published: month.Figures}).summary()
	if o.Confirmed != nil {
		if err := o.Confirmed(ctx, out); err != nil {
			return nil, err
		}
	}
	_, err = s.Clinic.Update(ctx, lake.Close, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head() == nil || tx.Head().Number != head.Number {
			return errOvertaken
		}
		if err := tx.CloseMonth(ctx, o.Month, body, closing); err != nil {
			return err
		}
		return tx.SetSource(dataSource, dataCommit(head))
	})
	if errors.Is(err, errOvertaken) {
		return nil, err
	}
	return &out, storage(doing, err)
}

// monthWindow is the days of a month, YYYY-MM.
func monthWindow(month string) extractors.Window {
	first, err := civil.ParseDate(month + "-01")
	if err != nil {
		return extractors.Window{}
	}
	return monthFrom(first, first.AddDays(40)) // the next month's first days are later than its last
}

// closable gives the figures of a month as the newest build has them, or says why they cannot be published.
func (s *Site) closable(ctx context.Context, snapshot *lake.Snapshot, month string) (models.MonthFigures, lake.Closing, error) {
	head, doing := snapshot.Commit(), "closing "+month
	no := func(format string, args ...any) (models.MonthFigures, lake.Closing, error) {
		return models.MonthFigures{}, lake.Closing{}, refused(doing, fmt.Errorf(format, args...))
	}
	if month >= monthOf(head.AsOf) {
		return no("it is not over: the reports show how things stood on %s", head.AsOf)
	}
	mart, built := snapshot.Mart(models.FiguresMart)
	switch {
	case !built:
		return no("nothing was built that has its figures: run falloff build")
	case mart.Input != dataCommit(head):
		return no("newer data has landed since the last build: run falloff build, and look at the figures again")
	case mart.AsOf != head.AsOf:
		return no("the last build was made as of %s, and the reports show how things stood on %s: run falloff build", mart.AsOf, head.AsOf)
	}
	figures, err := s.figuresOf(ctx, head, month)
	if err != nil {
		return models.MonthFigures{}, lake.Closing{}, err
	}
	known := len(figures.Figures) > 0
	if !known {
		return no("nothing is known of it: no report about it has landed")
	}
	if first := historyFrom(head); first.IsValid() && month <= monthOf(first.AddDays(-1)) {
		return no("history begins on %s, within or after it, so its figures are not whole", first)
	}
	if covers := head.Datasets[contract.Appointments].Covers; len(covers) > 0 {
		whole := monthWindow(month)
		seen := observed(covers, whole)
		if !seen.IsValid() {
			return no("no report said to be complete covers every day of it: import or extract it again")
		}
		if !seen.After(whole.To) {
			return no("the report that covers it is of %s, before it was over: import or extract it again", seen)
		}
	}
	if !figures.Complete {
		return no("it is not complete: falloff of a month is known only once the longest falloff_days (42 unless clinic.yaml says otherwise) are over after its end, and the reports show how things stood on %s", head.AsOf)
	}
	basis, err := compareBasis(head, mart.AsOf)
	if err != nil {
		return models.MonthFigures{}, lake.Closing{}, err
	}
	return figures, lake.Closing{AsOf: mart.AsOf, Input: mart.Input, Built: head.Number, Compared: basis}, nil
}

// figuresOf reads the figures of a month out of the marts of the newest commit, which must be that one.
func (s *Site) figuresOf(ctx context.Context, head *lake.Commit, month string) (out models.MonthFigures, err error) {
	view, err := s.OpenMarts(ctx)
	if err != nil {
		return out, err
	}
	defer func() { _ = view.Close() }()
	if view.Commit.Number != head.Number {
		return out, errOvertaken
	}
	rows, err := view.DB.QueryContext(ctx, `
		select figure, category, detail, discipline, location, currency, unit, amount, is_complete
		from marts.figures_by_month
		where month = $1`, month)
	if err != nil {
		return out, fmt.Errorf("reading the figures of %s: %w", month, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var f models.Figure
		if err := rows.Scan(&f.Figure, &f.Category, &f.Detail, &f.Discipline, &f.Location, &f.Currency, &f.Unit, &f.Amount, &out.Complete); err != nil {
			return out, fmt.Errorf("reading the figures of %s: %w", month, err)
		}
		out.Figures = append(out.Figures, f)
	}
	slices.SortFunc(out.Figures, func(a, b models.Figure) int { return a.Compare(b.FigureName) })
	return out, rows.Err()
}

// ClosedMonths lists the closed months of the newest commit, in order.
func (s *Site) ClosedMonths(ctx context.Context) ([]ClosedMonth, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("reading the closed months", err)
	}
	return closedMonthsOf(ctx, s.Clinic.Snapshot(head))
}

// ClosedMonths lists the closed months of the snapshot, in order.
func (v *View) ClosedMonths(ctx context.Context) ([]ClosedMonth, error) {
	return closedMonthsOf(ctx, v.snapshot)
}

func closedMonthsOf(ctx context.Context, snapshot *lake.Snapshot) ([]ClosedMonth, error) {
	months, err := readClosings(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	out := make([]ClosedMonth, 0, len(months))
	for _, m := range months {
		out = append(out, m.summary())
	}
	return out, nil
}
