package extractors_test

import (
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

func TestOrders(t *testing.T) {
	const month, day, window, ahead, asOf = extractors.EachMonth, extractors.EachDay, extractors.WholeWindow, extractors.BookingsAhead, extractors.AsOf
	for _, test := range []struct {
		period  extractors.Period
		maxDays int // for days, how many are recent
		window  string
		want    string
	}{
		{month, 0, "2026-01-01..2026-03-31", "2026-01-01..2026-01-31 2026-02-01..2026-02-28 2026-03-01..2026-03-31"},
		{month, 0, "2026-01-15..2026-01-20", "2026-01-01..2026-01-20"},
		{month, 0, "2025-12-31..2026-01-01", "2025-12-01..2025-12-31 2026-01-01..2026-01-01"},
		{month, 0, "2024-02-29..2024-03-01", "2024-02-01..2024-02-29 2024-03-01..2024-03-01"},
		{day, 0, "2024-02-28..2024-03-01", "2024-02-28..2024-02-28 2024-02-29..2024-02-29 2024-03-01..2024-03-01"},
		{day, 0, "2026-11-01..2026-11-01", "2026-11-01..2026-11-01"},
		{day, 2, "2025-12-15..2026-02-03", "2025-12-01..2025-12-31 2026-01-01..2026-01-31 2026-02-01..2026-02-01 2026-02-02..2026-02-02 2026-02-03..2026-02-03"},
		{day, 2, "2025-12-15..2026-01-09", "2025-12-01..2025-12-31 2026-01-01..2026-01-07 2026-01-08..2026-01-08 2026-01-09..2026-01-09"},
		{day, 2, "2026-02-02..2026-02-03", "2026-02-02..2026-02-02 2026-02-03..2026-02-03"},
		{asOf, 0, "2026-01-01..2026-03-31", "2026-03-31..2026-03-31"},
		{asOf, 1, "2026-01-01..2026-03-31", "2026-03-31..2026-03-31"},
		{window, 0, "2020-01-01..2026-03-31", "2020-01-01..2026-03-31"},
		{window, 31, "2026-01-10..2026-02-09", "2026-01-10..2026-02-09"},
		{window, 31, "2026-01-10..2026-02-10", "2026-01-10..2026-01-31 2026-02-01..2026-02-10"},
		{window, 7, "2026-02-25..2026-03-11", "2026-02-25..2026-03-03 2026-03-04..2026-03-10 2026-03-11..2026-03-11"},
		{ahead, 0, "2026-01-01..2026-03-31", "2026-01-01..2026-04-10"},
		{ahead, 31, "2026-01-20..2026-02-10", "2026-01-20..2026-01-31 2026-02-01..2026-02-20"},
	} {
		w, err := extractors.ParseWindow(test.window)
		if err != nil {
			t.Fatal(err)
		}
		kind := extractors.ReportKind{Name: "sales", Dataset: "invoice_lines", Period: test.period, MaxDays: test.maxDays}
		if test.period == day {
			kind.MaxDays, kind.RecentDays = 0, test.maxDays
		}
		var got []string
		for _, o := range kind.Orders(w, 10) {
			got = append(got, o.Window.String())
			if o.Report != "sales" || o.Dataset != "invoice_lines" || o.ID() != "sales "+o.Window.String() {
				t.Errorf("order %+v has the id %q", o, o.ID())
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s of %s, at most %d days: %v, want %s", test.period, test.window, test.maxDays, got, test.want)
		}
	}
}

// Whatever the period, no day of the window is asked for twice and none is left out.
func TestOrdersCoverTheirWindowOnce(t *testing.T) {
	from := civil.Date{Year: 2023, Month: 11, Day: 17}
	for length := range 130 {
		w := extractors.Window{From: from, To: from.AddDays(length)}
		for _, kind := range []extractors.ReportKind{
			{Period: extractors.WholeWindow, MaxDays: 31}, {Period: extractors.WholeWindow, MaxDays: 10}, {Period: extractors.WholeWindow, MaxDays: 1},
			{Period: extractors.EachDay}, {Period: extractors.BookingsAhead, MaxDays: 45},
		} {
			next := w.From
			for _, o := range kind.Orders(w, 0) {
				if o.Window.From != next || o.Window.Days() < 1 || kind.MaxDays > 0 && o.Window.Days() > kind.MaxDays {
					t.Fatalf("%+v over %s: the part %s does not follow %s", kind, w, o.Window, next)
				}
				next = o.Window.To.AddDays(1)
			}
			if next != w.To.AddDays(1) {
				t.Fatalf("%+v over %s ends before %s", kind, w, next)
			}
		}
	}
	if len(extractors.ReportKind{Period: extractors.EachDay}.Orders(extractors.Window{From: from, To: from.AddDays(-1)}, 0)) != 0 {
		t.Error("a window without days has orders")
	}
	if !slices.Contains(extractors.Periods(), extractors.AsOf) {
		t.Error("as_of is no period")
	}
}
