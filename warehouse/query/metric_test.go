package query_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

func in(dimension string, values ...string) query.Filter {
	return query.Filter{Dimension: dimension, Values: values}
}

func TestAMetricIsSplitNarrowedAndAddedUp(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	for _, test := range []struct {
		name    string
		request query.MetricRequest
		columns []string
		want    []string
	}{
		{
			"a sum of all", query.MetricRequest{Metric: "leaked_revenue"},
			[]string{"value"}, []string{"47000"},
		},
		{
			"by a dimension, in words", query.MetricRequest{Metric: "leaked_revenue", By: []string{"category"}},
			[]string{"category", "value"},
			[]string{
				"Claim never sent | 8000", "Claim rejected, not resubmitted | 12000", "Co-pay not collected | 3000", "No-show fee not charged | 5000",
				"Visit without a charge | 19000",
			},
		},
		{
			"by month", query.MetricRequest{Metric: "leaked_revenue", Grain: "month"},
			[]string{"time", "value"}, []string{"2026-07-01 | 15000", "2026-08-01 | 17500", "2026-09-01 | 14500"},
		},
		{
			"by quarter and certainty", query.MetricRequest{Metric: "leaked_revenue", Grain: "quarter", By: []string{"certainty"}},
			[]string{"time", "certainty", "value"}, []string{"2026-07-01 | Firm | 23000", "2026-07-01 | Likely | 24000"},
		},
		{
			"the months that a range touches", query.MetricRequest{Metric: "leaked_revenue", From: day("2026-08-20"), To: day("2026-08-21")},
			[]string{"value"}, []string{"17500"},
		},
		{
			"by two dimensions and time, with a name for each curve", query.MetricRequest{
				Metric: "leaked_revenue", Grain: "year", By: []string{"category", "certainty"}, Filters: []query.Filter{in("category", "copay_missed", "no_show_fee")},
			},
			[]string{"time", "series", "value"}, []string{"2026-01-01 | Co-pay not collected · Firm | 3000", "2026-01-01 | No-show fee not charged · Likely | 5000"},
		},
		{
			"none of some values", query.MetricRequest{
				Metric: "leaked_revenue", Filters: []query.Filter{{Dimension: "category", Not: true, Values: []string{"arrived_no_charge", "claim_rejected"}}},
			},
			[]string{"value"}, []string{"16000"},
		},
		{
			"weeks", query.MetricRequest{Metric: "visits", Grain: "week", By: []string{"discipline"}, From: day("2026-09-20")},
			[]string{"time", "discipline", "value"},
			[]string{
				"2026-09-14 | Massage | 5", "2026-09-14 | Physiotherapy | 12", "2026-09-21 | Physiotherapy | 11", "2026-09-28 | Physiotherapy | 4",
			},
		},
		{
			"what is of all of them is held, not added to the others", query.MetricRequest{Metric: "show_rate"},
			[]string{"value", "of"}, []string{"0.9000 | 40"},
		},
		{
			"one of the series", query.MetricRequest{Metric: "show_rate", By: []string{"staff_member"}},
			[]string{"staff_member", "value", "of"}, []string{"Robin Mercer | 0.9333 | 30", "Sam Okafor | 0.8000 | 10"},
		},
		{
			"in the order of its numbers", query.MetricRequest{Metric: "show_rate", By: []string{"lead_time"}},
			[]string{"lead_time", "of"}, []string{"0 | 10", "1-3 | 20", "15-30 | 10"},
		},
		{
			// 19 of 20 in August, 17 of 20 in September.
			"a mean by weight over months", query.MetricRequest{Metric: "show_rate", Grain: "quarter"},
			[]string{"time", "value", "of"}, []string{"2026-07-01 | 0.9000 | 40"},
		},
		{
			"a mean by money", query.MetricRequest{Metric: "gross_collection_rate"},
			// 800.00 of July's 1000.00; August has no row of all.
			[]string{"value"}, []string{"0.8000"},
		},
		{
			"a balance once, by one basis", query.MetricRequest{Metric: "receivables"},
			[]string{"value"}, []string{"19500"},
		},
		{
			"by another basis", query.MetricRequest{Metric: "receivables", Filters: []query.Filter{in("basis", "service")}},
			[]string{"value"}, []string{"4500"},
		},
		{
			"a median, as it is", query.MetricRequest{Metric: "median_days_to_pay", By: []string{"payer"}, Filters: []query.Filter{in("payer", "Sun Life")}},
			[]string{"payer", "value"}, []string{"Sun Life | 12.0000"},
		},
		{
			"a curve over numbers", query.MetricRequest{Metric: "outcome_incidence", By: []string{"days", "outcome"}, Filters: []query.Filter{in("outcome", "fallen_off")}},
			[]string{"days", "outcome", "value"}, []string{"42 | Fallen off | 0.1000", "70 | Fallen off | 0.2000"},
		},
		{
			"by a discipline, without the row of all", query.MetricRequest{Metric: "conversion", By: []string{"discipline"}},
			[]string{"discipline", "of"}, []string{"Massage | 4", "Physiotherapy | 6"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := engine.RunMetric(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Release()
			if diff := cmp.Diff(test.want, table(t, answer, test.columns...)); diff != "" {
				shown, _ := answer.Schema.Metadata().GetValue(query.MetaSQL)
				t.Errorf("answer (-want +got):\n%s\n%s", diff, shown)
			}
		})
	}
}

func TestAMetricIsRefusedWhatItCannotSay(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	for name, test := range map[string]struct {
		request query.MetricRequest
		says    string
	}{
		"a third dimension":           {query.MetricRequest{Metric: "leaked_revenue", By: []string{"category", "certainty", "discipline"}}, "more than 2"},
		"a dimension that is none":    {query.MetricRequest{Metric: "leaked_revenue", By: []string{"patient"}}, "not split by it"},
		"SQL for a dimension":         {query.MetricRequest{Metric: "leaked_revenue", By: []string{`category" from marts.leak_ledger --`}}, "not split by it"},
		"a dimension twice":           {query.MetricRequest{Metric: "leaked_revenue", By: []string{"category", "category"}}, "twice"},
		"a filter that is none":       {query.MetricRequest{Metric: "leaked_revenue", Filters: []query.Filter{in("leak_id", "a")}}, "not split by it"},
		"a filter without values":     {query.MetricRequest{Metric: "leaked_revenue", Filters: []query.Filter{in("category")}}, "needs values"},
		"a value too long":            {query.MetricRequest{Metric: "leaked_revenue", Filters: []query.Filter{in("category", strings.Repeat("a", 201))}}, "too long"},
		"a grain that is none":        {query.MetricRequest{Metric: "leaked_revenue", Grain: "day"}, "not known by it"},
		"a grain without time":        {query.MetricRequest{Metric: "receivables", Grain: "month"}, "not known by it"},
		"a grain finer than its rows": {query.MetricRequest{Metric: "leaked_revenue", Grain: "week"}, "not known by it"},
		"two series at a time":        {query.MetricRequest{Metric: "show_rate", By: []string{"hour", "weekday"}}, "at a time"},
		"a series beside another's":   {query.MetricRequest{Metric: "show_rate", By: []string{"hour"}, Filters: []query.Filter{in("staff_member", "Robin Mercer")}}, "at a time"},
		"a median of several payers":  {query.MetricRequest{Metric: "median_days_to_pay"}, "not to be combined"},
		"a median of two chosen":      {query.MetricRequest{Metric: "median_days_to_pay", Filters: []query.Filter{in("payer", "a", "b")}}, "not to be combined"},
		"a median of some months":     {query.MetricRequest{Metric: "median_days_to_pay", By: []string{"payer"}, From: day("2026-07-01")}, "several months"},
		"a balance of several months": {query.MetricRequest{Metric: "control_difference"}, "several months"},
		"no metric":                   {query.MetricRequest{Metric: "nothing"}, "no metric named"},
	} {
		answer, err := engine.RunMetric(t.Context(), test.request)
		if err == nil {
			answer.Release()
		}
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, and it should say %q", name, err, test.says)
			continue
		}
		if hinted, ok := errors.AsType[interface {
			error
			Hint() string
		}](err); !ok || hinted.Hint() == "" {
			t.Errorf("%s: nothing says what to do", name)
		}
	}
}

// Values are bound: whatever a person chooses, it is a value and nothing else. What is shown is the same statement.
func TestNoValueOfAFilterIsSQL(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	for _, nasty := range []string{
		"'", "''", "'; drop table leak_ledger; --", "\\'", "$p_aaa", "$1", "?", "x') or ('1'='1", "\n--", "/*", "\x00", "’", "%", "firm\x27",
	} {
		for _, not := range []bool{false, true} {
			answer, err := engine.RunMetric(t.Context(), query.MetricRequest{
				Metric: "leaks", Filters: []query.Filter{{Dimension: "certainty", Not: not, Values: []string{nasty, "$p_aab"}}},
			})
			if err != nil {
				t.Errorf("%q: %v", nasty, err)
				continue
			}
			want := "-"
			if not {
				want = "7"
			}
			if got := table(t, answer, "value"); got[0] != want {
				t.Errorf("%q (not: %v) finds %s leaks", nasty, not, got)
			}
			answer.Release()
		}
	}
}

// everyQuestion asks every metric by every pair of dimensions and every grain, each also with a value chosen of another.
func everyQuestion(t *testing.T) []query.MetricRequest {
	t.Helper()
	all, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	var questions []query.MetricRequest
	for _, m := range all {
		pairs := [][]string{nil}
		for i, a := range m.Splits() {
			pairs = append(pairs, []string{a.Name})
			for _, b := range m.Splits()[:i] {
				pairs = append(pairs, []string{a.Name, b.Name})
			}
		}
		for _, by := range pairs {
			for _, grain := range append([]string{""}, m.Grains()...) {
				q := query.MetricRequest{Metric: m.Name, By: by, Grain: grain}
				questions = append(questions, q)
				for _, of := range m.Splits() {
					if !slices.Contains(by, of.Name) && len(by) < 2 {
						q.Filters = []query.Filter{in(of.Name, "Robin Mercer")}
						questions = append(questions, q)
					}
				}
			}
		}
	}
	return questions
}

// Whatever can be asked is answered or refused with a reason, and what is shown is a statement that runs elsewhere with the same answer.
func TestWhateverCanBeAskedOfAMetricIsAnswered(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	elsewhere := martsElsewhere(t)
	answered := 0
	for i, q := range everyQuestion(t) {
		if i%3 > 0 {
			continue
		}
		text, err := engine.MetricSQL(q)
		if _, refused := errors.AsType[*query.ParameterError](err); refused {
			continue
		}
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		answered++
		rows, err := countRows(t.Context(), elsewhere, text)
		if err != nil {
			t.Fatalf("%+v: what is shown does not run: %v\n%s", q, err, text)
		}
		if i%7 > 0 {
			continue
		}
		answer, err := engine.RunMetric(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v\n%s", q, err, text)
		}
		if answer.Rows != rows {
			t.Errorf("%+v: %d rows, and %d of what is shown\n%s", q, answer.Rows, rows, text)
		}
		answer.Release()
	}
	if answered < 400 {
		t.Errorf("only %d questions were answered", answered)
	}
}

// martsElsewhere is a DuckDB of somebody else's with the same marts.
func martsElsewhere(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	statements := []string{"create schema marts"}
	for name, paths := range martstest.Small(t) {
		statements = append(statements, fmt.Sprintf("create table marts.%s as from '%s'", name, paths[0]))
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func countRows(ctx context.Context, db *sql.DB, text string) (n int64, err error) {
	err = db.QueryRowContext(ctx, "select count(*) from ("+text+") as shown").Scan(&n)
	return n, err
}

// Whoever sees no rows is answered with cells of released tables as they stand, or not at all.
func TestAReleasedMetricIsCellsAsTheyStand(t *testing.T) {
	e := openReleased(t)
	numbers := map[string]bool{}
	released := martstest.Released(t)
	for _, g := range released.Tables() {
		for _, row := range g.Rows {
			if row.Suppressed {
				continue
			}
			for _, v := range row.Values {
				numbers[fmt.Sprint(v)] = true
			}
		}
	}
	answered := 0
	for _, q := range everyQuestion(t) {
		q.Released = true
		answer, err := e.RunMetric(t.Context(), q)
		if _, refused := errors.AsType[*query.ParameterError](err); refused {
			continue
		}
		if _, lacking := errors.AsType[*query.UnavailableError](err); lacking && slices.Contains([]string{"billing_warnings", "receivables", "retention"}, q.Metric) {
			continue // the fixture has no such things
		}
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		answered++
		for _, row := range table(t, answer, "value", "withheld") {
			value, withheld, _ := strings.Cut(row, " | ")
			if withheld == "true" && value != "-" {
				t.Errorf("%+v: what is withheld is told: %s", q, row)
			}
			if withheld == "false" && !strings.Contains(value, ".") && value != "-" && !numbers[value] {
				t.Errorf("%+v: %s is the number of no released cell", q, row)
			}
			if value == fmt.Sprint(martstest.Few) || value == fmt.Sprint(martstest.FewPatients) {
				t.Errorf("%+v: a few are told: %s", q, row)
			}
		}
		answer.Release()
	}
	if answered < 60 {
		t.Errorf("only %d questions were answered", answered)
	}
}

func TestWhatIsNotReleasedIsRefused(t *testing.T) {
	e := openReleased(t)
	for name, q := range map[string]query.MetricRequest{
		"three dimensions in all":   {Metric: "leaked_revenue", By: []string{"category", "discipline"}, Grain: "month"},
		"a pair that is not there":  {Metric: "leaked_revenue", By: []string{"discipline", "location"}},
		"quarters":                  {Metric: "leaked_revenue", Grain: "quarter"},
		"some months together":      {Metric: "leaked_revenue", From: day("2026-07-01"), To: day("2026-07-31")},
		"several values together":   {Metric: "leaked_revenue", Filters: []query.Filter{in("category", "no_show_fee", "rejected_claim")}},
		"all but one":               {Metric: "leaked_revenue", Filters: []query.Filter{{Dimension: "category", Not: true, Values: []string{"no_show_fee"}}}},
		"one certainty":             {Metric: "leaked_revenue", Filters: []query.Filter{in("certainty", "firm")}},
		"a metric for rows alone":   {Metric: "median_days_to_pay", By: []string{"payer"}},
		"a currency":                {Metric: "leaked_revenue", Filters: []query.Filter{in("currency", "CAD")}},
		"another basis of balances": {Metric: "receivables", Filters: []query.Filter{in("basis", "due")}},
	} {
		q.Released = true
		answer, err := e.RunMetric(t.Context(), q)
		if err == nil {
			answer.Release()
		}
		if _, refused := errors.AsType[*query.ParameterError](err); !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A cell that is chosen by a value is that cell: three patients' is withheld.
	answer, err := e.RunMetric(t.Context(), query.MetricRequest{
		Metric: "leaked_revenue", Grain: "month", Filters: []query.Filter{in("category", "no_show_fee")}, Released: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Release()
	if diff := cmp.Diff("2026-08-01 | - | true", table(t, answer, "time", "value", "withheld")[1]); diff != "" || answer.Withheld == 0 {
		t.Errorf("%d withheld: %s", answer.Withheld, diff)
	}
	if note, _ := answer.Schema.Metadata().GetValue(query.MetaNote); !strings.Contains(note, "withheld") {
		t.Errorf("the note is %q", note)
	}
}

func TestEveryServedMetricKnowsItsColumn(t *testing.T) {
	all, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, g := range disclosure.Groups() {
		for _, table := range g.Tables {
			for _, name := range table.Metrics {
				served[name] = true
			}
		}
	}
	// Their tables say how many lapse, and not the estimate itself.
	curves := []string{"survival", "median_days_to_falloff", "median_visits_to_falloff", "stopping_share"}
	for _, m := range all {
		if want := served[m.Name] && !slices.Contains(curves, m.Name); query.MetricIsReleased(m) != want {
			t.Errorf("%s is released: %v, and should be: %v", m.Name, !want, want)
		}
		if len(query.MetricMarts(m)) == 0 {
			t.Errorf("%s reads no mart", m.Name)
		}
	}
}

func TestTheValuesOfADimension(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	for _, test := range []struct {
		metric, dimension string
		want              []query.Choice
	}{
		{"leaked_revenue", "certainty", []query.Choice{{Text: "Firm", Value: "firm"}, {Text: "Likely", Value: "likely"}}},
		{"show_rate", "staff_member", []query.Choice{{Text: "Robin Mercer", Value: "Robin Mercer"}, {Text: "Sam Okafor", Value: "Sam Okafor"}}},
		{"conversion", "discipline", []query.Choice{{Text: "Massage", Value: "Massage"}, {Text: "Physiotherapy", Value: "Physiotherapy"}}},
	} {
		got, err := engine.MetricValues(t.Context(), test.metric, test.dimension, false)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s of %s: %v %s", test.dimension, test.metric, err, diff)
		}
	}
	released := openReleased(t)
	want := []query.Choice{{Text: "No-show fee not charged", Value: "no_show_fee"}, {Text: "Rejected claim", Value: "rejected_claim"}, {Text: "Unbilled visit", Value: "unbilled_visit"}}
	if got, err := released.MetricValues(t.Context(), "leaked_revenue", "category", true); err != nil || !slices.Equal(got, want) {
		t.Errorf("released: %v, %v", got, err)
	}
	for _, dimension := range []string{"patient", "certainty"} {
		if got, err := released.MetricValues(t.Context(), "leaked_revenue", dimension, true); err == nil {
			t.Errorf("released, by %s: %v", dimension, got)
		}
	}
}

// A filter is chosen by the words that the panel beside it shows.
func TestTheValuesOfADimensionAreCalledAsAnswersCallThem(t *testing.T) {
	for name, limits := range map[string]query.Limits{"rows": query.Long, "rows of short tables": query.Short, "released": {}} {
		t.Run(name, func(t *testing.T) {
			released := name == "released"
			engine := openReleased(t)
			if !released {
				engine = open(t, martstest.Small(t), limits)
			}
			for _, asked := range []struct{ metric, dimension string }{{"leaked_revenue", "category"}, {"patients_by_status", "status"}} {
				choices, err := engine.MetricValues(t.Context(), asked.metric, asked.dimension, released)
				if err != nil {
					t.Fatal(err)
				}
				for _, choice := range choices {
					answer, err := engine.RunMetric(t.Context(), query.MetricRequest{
						Metric: asked.metric, By: []string{asked.dimension}, Released: released,
						Filters: []query.Filter{{Dimension: asked.dimension, Values: []string{choice.Value}}},
					})
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff([]string{choice.Text}, table(t, answer, asked.dimension)); diff != "" {
						t.Errorf("%s of %s: offered, and shown: %s", choice.Value, asked.metric, diff)
					}
					answer.Release()
				}
				if len(choices) == 0 || choices[0].Text == choices[0].Value {
					t.Errorf("the values of %s are %v", asked.dimension, choices)
				}
			}
		})
	}
}

func TestACaseloadIsKnownByStaffMember(t *testing.T) {
	engine, err := query.OpenFiles(t.Context(), query.Files{Marts: martstest.Small(t), AssignedTo: []string{"Robin Mercer"}}, martstest.Meta("harbour-street", "42"), query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	answer, err := engine.RunMetric(t.Context(), query.MetricRequest{Metric: "show_rate", By: []string{"staff_member"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Release()
	if diff := cmp.Diff([]string{"Robin Mercer | 30"}, table(t, answer, "staff_member", "of")); diff != "" {
		t.Error(diff)
	}
	if _, err := engine.RunMetric(t.Context(), query.MetricRequest{Metric: "show_rate", By: []string{"weekday"}}); err == nil {
		t.Error("a caseload's weekdays are not known, and are answered")
	}
	if _, err := engine.RunMetric(t.Context(), query.MetricRequest{Metric: "retention"}); err == nil {
		t.Error("what is of the whole clinic is answered of a caseload")
	}
}
