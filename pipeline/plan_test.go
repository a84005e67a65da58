package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func date(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// before is what has landed when a run is planned: covers by dataset as `from to observed`, invoices as `number day balance`,
// claims as `id day folder`.
type before struct {
	covers           map[string][]string
	invoices, claims []string
}

// plannedSite is a clinic in which that has landed.
func plannedSite(t *testing.T, b before) *Site {
	t.Helper()
	ctx := context.Background()
	site := newSimulation(t, 1, 1).site(&machine{}, "a")
	if b.covers == nil && b.invoices == nil && b.claims == nil {
		return site
	}
	covers := func(dataset string) (out []lake.Cover) {
		for _, line := range b.covers[dataset] {
			f := strings.Fields(line)
			out = append(out, lake.Cover{From: date(t, f[0]), To: date(t, f[1]), ObservedOn: date(t, f[2])})
		}
		return out
	}
	seen := contract.DayOf(date(t, "2026-11-23"))
	var lines []contract.InvoiceLine
	for _, line := range b.invoices {
		var number, side, day string
		var cents int64
		if _, err := fmt.Sscan(line, &number, &side, &day, &cents); err != nil {
			t.Fatal(err)
		}
		on := contract.DayOf(date(t, day))
		lines = append(lines, contract.InvoiceLine{InvoiceNumber: number + "-" + side, InvoiceBase: number, InvoiceSide: side[:1],
			Item: "Visit", PurchaseDate: on, BalanceCents: cents, ObservedOn: seen})
	}
	var claims []contract.Claim
	for _, line := range b.claims {
		f := strings.Fields(line)
		claims = append(claims, contract.Claim{ClaimID: f[0], ServiceDate: contract.DayOf(date(t, f[1])), Folder: f[2], ObservedOn: seen})
	}
	_, err := site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Covers: covers(contract.Appointments)})
		if err == nil {
			_, err = lake.Upsert(ctx, tx, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: lines, Covers: covers(contract.InvoiceLines)})
		}
		if err == nil {
			_, err = lake.Upsert(ctx, tx, lake.Claims, lake.Batch[contract.Claim]{Rows: claims, Covers: covers(contract.Claims)})
		}
		if err == nil {
			_, err = lake.Upsert(ctx, tx, lake.Shifts, lake.Batch[contract.Shift]{Covers: covers(contract.Shifts)})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

var (
	visits   = extractors.ReportKind{Name: "visits", Dataset: contract.Appointments, Period: extractors.BookingsAhead}
	sales    = extractors.ReportKind{Name: "sales", Dataset: contract.InvoiceLines, Period: extractors.WholeWindow}
	claims   = extractors.ReportKind{Name: "claims", Dataset: contract.Claims, Period: extractors.WholeWindow}
	policies = extractors.ReportKind{Name: "policies", Dataset: contract.Policies, Period: extractors.AsOf}
	hours    = extractors.ReportKind{Name: "hours", Dataset: contract.Shifts, Period: extractors.EachDay}
	totals   = extractors.ReportKind{Name: "totals", Dataset: contract.Shifts, Period: extractors.EachMonth}
)

func atMost(k extractors.ReportKind, days int) extractors.ReportKind {
	k.MaxDays = days
	return k
}

// days are the orders of one report day by day.
func days(t *testing.T, report, from, to, why string) (out []string) {
	t.Helper()
	for d := date(t, from); !d.After(date(t, to)); d = d.AddDays(1) {
		out = append(out, fmt.Sprintf("%s %s %s: %s", report, d, d, why))
	}
	return out
}

// TestPlan holds plans against those that were made by hand, with a calendar.
func TestPlan(t *testing.T) {
	tuesday := "2026-11-24"
	known := map[string][]string{contract.Appointments: {"2026-11-01 2027-05-01 2026-11-23"}, contract.InvoiceLines: {"2026-11-01 2026-11-23 2026-11-23"}}
	for _, c := range []struct {
		name   string
		before before
		kinds  []extractors.ReportKind
		o      PlanOptions
		day    string
		from   string
		want   []string
	}{
		{
			name: "first run, with the window and the bookings ahead that are usual", day: tuesday,
			kinds: []extractors.ReportKind{visits, sales, policies},
			want: []string{
				"visits 2026-08-27 2027-05-23: trailing window",
				"sales 2026-08-27 2026-11-24: trailing window",
				"policies 2026-11-24 2026-11-24: trailing window",
			},
		},
		{
			name: "a report of at most a month is cut at the ends of months", day: tuesday,
			kinds: []extractors.ReportKind{atMost(sales, 31)},
			want: []string{
				"sales 2026-08-27 2026-08-31: trailing window", "sales 2026-09-01 2026-09-30: trailing window",
				"sales 2026-10-01 2026-10-31: trailing window", "sales 2026-11-01 2026-11-24: trailing window",
			},
		},
		{
			name: "a window that fits is not cut, though a month ends in it", day: "2026-11-10", o: PlanOptions{Trailing: 31},
			kinds: []extractors.ReportKind{atMost(sales, 31)},
			want:  []string{"sales 2026-10-11 2026-11-10: trailing window"},
		},
		{
			name: "a report of at most a week", day: tuesday, o: PlanOptions{Trailing: 16}, kinds: []extractors.ReportKind{atMost(sales, 7)},
			want: []string{
				"sales 2026-11-09 2026-11-15: trailing window", "sales 2026-11-16 2026-11-22: trailing window", "sales 2026-11-23 2026-11-24: trailing window",
			},
		},
		{
			name: "totals of months begin on the first and end with the window", day: "2026-10-31", o: PlanOptions{Trailing: 40},
			kinds: []extractors.ReportKind{totals},
			want:  []string{"totals 2026-09-01 2026-09-30: trailing window", "totals 2026-10-01 2026-10-31: trailing window"},
		},
		{
			name: "a leap day", day: "2028-03-01", o: PlanOptions{Trailing: 2, Ahead: 1}, kinds: []extractors.ReportKind{visits, totals, hours},
			want: append([]string{
				"visits 2028-02-29 2028-03-02: trailing window",
				"totals 2028-02-01 2028-02-29: trailing window", "totals 2028-03-01 2028-03-01: trailing window",
			}, days(t, "hours", "2028-02-29", "2028-03-01", "trailing window")...),
		},
		{
			name: "clocks that are put back make no day twice", day: "2026-11-02", o: PlanOptions{Trailing: 4}, kinds: []extractors.ReportKind{hours},
			want: days(t, "hours", "2026-10-30", "2026-11-02", "trailing window"),
		},
		{
			name: "clocks that are put forward make no day missing", day: "2026-03-09", o: PlanOptions{Trailing: 3}, kinds: []extractors.ReportKind{hours},
			want: days(t, "hours", "2026-03-07", "2026-03-09", "trailing window"),
		},
		{
			name: "a week without runs, and a window that is shorter", day: tuesday, o: PlanOptions{Trailing: 3, Ahead: 10},
			before: before{covers: map[string][]string{contract.Appointments: {"2026-11-01 2027-05-01 2026-11-16"}}},
			kinds:  []extractors.ReportKind{visits, policies},
			want: []string{
				// November's first half is older than the window, and so its turn has come.
				"visits 2026-11-01 2026-12-04: not read since the last run, rota",
				"policies 2026-11-24 2026-11-24: not read since the last run",
			},
		},
		{
			name: "bookings ahead that were covered have not been read to their own end", day: tuesday, o: PlanOptions{Trailing: 3, Ahead: 1, Only: []string{"visits"}},
			before: before{covers: map[string][]string{contract.Appointments: {"2026-11-01 2027-05-01 2026-11-16"}}},
			kinds:  []extractors.ReportKind{visits, sales},
			want:   []string{"visits 2026-11-17 2026-11-25: not read since the last run"},
		},
		{
			name: "hours after a week without runs", day: tuesday,
			before: before{covers: map[string][]string{
				contract.Appointments: {"2026-08-27 2026-11-14 2026-11-14"}, contract.Shifts: {"2026-08-01 2026-11-14 2026-11-14"},
			}},
			kinds: []extractors.ReportKind{hours},
			want: append(days(t, "hours", "2026-11-15", "2026-11-17", "not read since the last run"),
				days(t, "hours", "2026-11-18", "2026-11-24", "trailing window")...),
		},
		{
			name: "hours for the first time: no more than a month of single days in one run", day: tuesday, kinds: []extractors.ReportKind{hours},
			want: append(days(t, "hours", "2026-10-25", "2026-11-17", "not read since the last run"),
				days(t, "hours", "2026-11-18", "2026-11-24", "trailing window")...),
		},
		{
			name: "hours with a day missing long ago", day: tuesday,
			before: before{covers: map[string][]string{contract.Shifts: {"2026-08-01 2026-10-02 2026-11-23", "2026-10-04 2026-11-23 2026-11-23"}}},
			kinds:  []extractors.ReportKind{hours},
			want: append(days(t, "hours", "2026-10-03", "2026-10-03", "not read since the last run"),
				days(t, "hours", "2026-11-18", "2026-11-24", "trailing window")...),
		},
		{
			name: "open money in an old month: all reports of money, and no other", day: tuesday, o: PlanOptions{Ahead: 1},
			before: before{covers: known, invoices: []string{"1001 P01 2026-03-15 500", "1002 P01 2026-04-15 0"}},
			kinds:  []extractors.ReportKind{visits, sales, claims},
			want: []string{
				"visits 2026-08-27 2026-11-25: trailing window",
				"sales 2026-03-01 2026-03-31: open money", "sales 2026-08-27 2026-11-24: trailing window",
				"claims 2026-03-01 2026-03-31: open money", "claims 2026-08-27 2026-11-24: trailing window",
			},
		},
		{
			name: "an invoice that was reversed owes nothing", day: tuesday,
			before: before{covers: known, invoices: []string{"1001 P01 2026-03-15 500", "1001 P01X 2026-05-02 -500"}},
			kinds:  []extractors.ReportKind{sales}, want: []string{"sales 2026-08-27 2026-11-24: trailing window"},
		},
		{
			name: "an invoice over two months of which one is open", day: tuesday,
			before: before{covers: known, invoices: []string{"1001 P01 2026-03-15 500", "1001 P02 2026-05-02 -200"}},
			kinds:  []extractors.ReportKind{sales},
			want: []string{
				"sales 2026-03-01 2026-03-31: open money", "sales 2026-05-01 2026-05-31: open money", "sales 2026-08-27 2026-11-24: trailing window",
			},
		},
		{
			name: "a claim that waits, a claim that is settled", day: tuesday,
			before: before{covers: known, claims: []string{"9 2026-02-10 " + contract.ClaimSubmitted, "8 2026-01-10 " + contract.ClaimPaid}},
			kinds:  []extractors.ReportKind{sales},
			want:   []string{"sales 2026-02-01 2026-02-28: open money", "sales 2026-08-27 2026-11-24: trailing window"},
		},
		{
			name: "open money in the month that the window begins in is read at once with it", day: tuesday,
			before: before{covers: known, invoices: []string{"1001 P01 2026-08-05 500"}},
			kinds:  []extractors.ReportKind{sales}, want: []string{"sales 2026-08-01 2026-11-24: open money, trailing window"},
		},
		{
			name: "the rota: the month that was seen longest ago, by the report that has it oldest", day: tuesday, o: PlanOptions{Ahead: 1},
			before: before{covers: map[string][]string{
				contract.Appointments: {"2026-05-10 2026-05-31 2026-10-03", "2026-06-01 2026-06-30 2026-10-02", "2026-07-01 2026-11-23 2026-11-23"},
				contract.InvoiceLines: {"2026-05-10 2026-06-30 2026-11-20", "2026-07-01 2026-07-31 2026-10-01", "2026-08-01 2026-11-23 2026-11-23"},
			}},
			kinds: []extractors.ReportKind{visits, sales, policies},
			want: []string{
				"visits 2026-07-01 2026-07-31: rota", "visits 2026-08-27 2026-11-25: trailing window",
				"sales 2026-07-01 2026-07-31: rota", "sales 2026-08-27 2026-11-24: trailing window",
				"policies 2026-11-24 2026-11-24: trailing window",
			},
		},
		{
			name: "the rota: a month that a report has never covered comes first, and history begins where it began", day: tuesday, o: PlanOptions{Ahead: 1},
			before: before{covers: map[string][]string{
				contract.Appointments: {"2026-05-10 2026-11-23 2026-10-01"}, contract.InvoiceLines: {"2026-06-01 2026-11-23 2026-11-23"},
			}},
			kinds: []extractors.ReportKind{visits, sales},
			want: []string{
				"visits 2026-05-10 2026-05-31: rota", "visits 2026-08-27 2026-11-25: trailing window",
				"sales 2026-05-10 2026-05-31: rota", "sales 2026-08-27 2026-11-24: trailing window",
			},
		},
		{
			name: "asked for from a day to a day", day: "2026-02-20", from: "2026-01-30", o: PlanOptions{Ahead: 9},
			kinds: []extractors.ReportKind{visits, atMost(sales, 14), totals, policies},
			want: []string{
				"visits 2026-01-30 2026-03-01: asked for",
				"sales 2026-01-30 2026-02-12: asked for", "sales 2026-02-13 2026-02-20: asked for",
				"totals 2026-01-01 2026-01-31: asked for", "totals 2026-02-01 2026-02-20: asked for",
				"policies 2026-02-20 2026-02-20: asked for",
			},
		},
		{
			name: "asked for: every day of a report by the day, however many", day: "2026-04-10", from: "2026-01-01", kinds: []extractors.ReportKind{hours},
			before: before{covers: map[string][]string{contract.Shifts: {"2026-01-01 2026-04-09 2026-04-09"}}},
			want:   days(t, "hours", "2026-01-01", "2026-04-10", "asked for"),
		},
		{
			name: "a day in the past again", day: "2026-11-10", o: PlanOptions{Trailing: 5, Only: []string{"sales"}},
			before: before{covers: known}, kinds: []extractors.ReportKind{visits, sales},
			want: []string{"sales 2026-11-06 2026-11-10: trailing window"},
		},
		{
			name: "a single report: nothing older besides", day: tuesday, o: PlanOptions{Only: []string{"sales"}},
			before: before{covers: known, invoices: []string{"1001 P01 2026-03-15 500"}},
			kinds:  []extractors.ReportKind{visits, sales}, want: []string{"sales 2026-08-27 2026-11-24: trailing window"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Day = date(t, c.day)
			if c.from != "" {
				c.o.From = date(t, c.from)
			}
			site := plannedSite(t, c.before)
			plan, err := site.Plan(context.Background(), c.kinds, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range plan.Orders {
				got = append(got, fmt.Sprintf("%s %s %s: %s", o.Report, o.Window.From, o.Window.To, strings.Join(o.Why, ", ")))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("planned\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			again, err := site.Plan(context.Background(), c.kinds, c.o)
			if err != nil || again.String() != plan.String() {
				t.Errorf("planned again it is another plan (%v)", err)
			}
		})
	}
}
