package query_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

func open(t *testing.T, marts map[string][]string, limits query.Limits) *query.Engine {
	t.Helper()
	engine, err := query.Open(t.Context(), marts, martstest.Meta("harbour-street", "42"), limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// table reads the named columns of an answer as text, a row a line.
func table(t *testing.T, answer *query.Answer, columns ...string) []string {
	t.Helper()
	var lines []string
	for _, batch := range answer.Batches {
		for row := range int(batch.NumRows()) {
			cells := make([]string, len(columns))
			for i, name := range columns {
				at := answer.Schema.FieldIndices(name)
				if len(at) != 1 {
					t.Fatalf("the answer has no column %s", name)
				}
				cells[i] = cell(batch.Column(at[0]), row)
			}
			lines = append(lines, strings.Join(cells, " | "))
		}
	}
	return lines
}

func cell(column arrow.Array, row int) string {
	if column.IsNull(row) {
		return "-"
	}
	switch c := column.(type) {
	case *array.Timestamp:
		at := c.Value(row).ToTime(arrow.Microsecond)
		if at.Equal(at.Truncate(24 * time.Hour)) {
			return at.Format(time.DateOnly)
		}
		return at.Format(time.RFC3339)
	case *array.Float64:
		return fmt.Sprintf("%.4f", c.Value(row))
	default:
		return column.ValueStr(row)
	}
}

func day(text string) civil.Date {
	d, err := civil.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

func TestAnswers(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	for _, test := range []struct {
		name    string
		request query.Request
		columns []string
		want    []string
	}{
		{
			name:    "firm and likely leaks make the total, estimates stand beside it",
			request: query.Request{Query: "leak_total"},
			columns: []string{"amount_cents", "leaks", "patients", "firm_cents", "likely_cents", "estimate_cents", "as_of"},
			want:    []string{"47000 | 6 | 4 | 23000 | 24000 | 6000 | 2026-09-30"},
		},
		{
			name:    "categories by money, the largest first",
			request: query.Request{Query: "leaks_by_category"},
			columns: []string{"category", "title", "amount_cents", "leaks", "share", "oldest_on"},
			want: []string{
				"arrived_no_charge | Visit without a charge | 19000 | 2 | 0.4043 | 2026-08-20",
				"claim_rejected | Claim rejected, not resubmitted | 12000 | 1 | 0.2553 | 2026-07-02",
				"claim_never_sent | Claim never sent | 8000 | 1 | 0.1702 | 2026-08-14",
				"no_show_fee | No-show fee not charged | 5000 | 1 | 0.1064 | 2026-09-10",
				"copay_missed | Co-pay not collected | 3000 | 1 | 0.0638 | 2026-07-02",
			},
		},
		{
			name:    "estimates alone",
			request: query.Request{Query: "leaks_by_category", Params: map[string]any{"certainty": "estimate"}},
			columns: []string{"category", "amount_cents", "share"},
			want:    []string{"visit_not_closed | 6000 | 1.0000"},
		},
		{
			name:    "months within the range, whose ends count",
			request: query.Request{Query: "leaks_by_month", From: day("2026-08-14"), To: day("2026-09-03")},
			columns: []string{"month", "series", "amount_cents"},
			want: []string{
				"2026-08-01 | Visit without a charge | 9500",
				"2026-08-01 | Claim never sent | 8000",
				"2026-09-01 | Visit without a charge | 9500",
			},
		},
		{
			name:    "months by certainty",
			request: query.Request{Query: "leaks_by_month", Params: map[string]any{"split": "certainty", "certainty": "all"}},
			columns: []string{"month", "series", "amount_cents", "leaks"},
			want: []string{
				"2026-07-01 | Firm | 15000 | 2",
				"2026-08-01 | Likely | 9500 | 1", "2026-08-01 | Firm | 8000 | 1",
				"2026-09-01 | Estimate | 6000 | 1", "2026-09-01 | Likely | 14500 | 2",
			},
		},
		{
			name:    "the worst leaks, the oldest first among equals",
			request: query.Request{Query: "worst_open_leaks", Params: map[string]any{"limit": "4"}},
			columns: []string{"source_id", "amount_cents", "age_days", "patient", "payer", "evidence"},
			want: []string{
				"1531-C01 | 12000 | 90 | p1_aaa | Sun Life | claim rejected; sent 2026-07-03; answered 2026-07-10; invoiced 2026-07-02",
				"9001 | 9500 | 41 | p1_ccc | - | amount from the price list",
				"9002 | 9500 | 27 | p1_bbb | - | amount from the price list",
				"1540-C01 | 8000 | 47 | p1_bbb | Green Shield | claim draft; invoiced 2026-08-14",
			},
		},
		{
			name: "the worst leaks of one category",
			request: query.Request{
				Query: "worst_open_leaks", Params: map[string]any{"category": "no_show_fee", "certainty": "all", "limit": 5.0},
			},
			columns: []string{"source_id", "remedy"},
			want:    []string{"9003 | Charge or waive the fee"},
		},
		{
			// Physiotherapy steps on days 42 and 70 and is seen to day 100, Massage to day 42. On day 60 four episodes are
			// at risk (the one censored that day still is), on day 80 the two that are seen to day 100.
			name: "curves hold their value between events and end with the last observation",
			request: query.Request{
				Query: "retention_curve", Params: map[string]any{"group": "discipline", "every_days": 20},
			},
			columns: []string{"day", "series", "survival", "ci_low", "ci_high", "n_risk"},
			want: []string{
				"0 | Massage | 1.0000 | - | - | 2",
				"0 | Physiotherapy | 1.0000 | - | - | 5",
				"20 | Massage | 1.0000 | - | - | 2",
				"20 | Physiotherapy | 1.0000 | - | - | 5",
				"40 | Massage | 1.0000 | - | - | 2",
				"40 | Physiotherapy | 1.0000 | - | - | 5",
				"60 | Physiotherapy | 0.8000 | 0.2000 | 0.9700 | 4",
				"80 | Physiotherapy | 0.5333 | 0.0700 | 0.8500 | 2",
				"100 | Physiotherapy | 0.5333 | 0.0700 | 0.8500 | 2",
			},
		},
		{
			name:    "one curve of everyone, up to a day",
			request: query.Request{Query: "retention_curve", Params: map[string]any{"days": 42, "every_days": 42}},
			columns: []string{"day", "series", "survival"},
			want:    []string{"0 | All disciplines | 1.0000", "42 | All disciplines | 0.5714"},
		},
		{
			name:    "a cohort month that is too young has no curve",
			request: query.Request{Query: "retention_curve", Params: map[string]any{"group": "cohort_month", "every_days": 42}},
			columns: []string{"day", "series", "survival"},
			want:    []string{"0 | 2026-03 | 1.0000", "42 | 2026-03 | 0.5000"},
		},
		{
			name:    "share stopping by visit",
			request: query.Request{Query: "retention_by_visit", Params: map[string]any{"visits": 2}},
			columns: []string{"visit_number", "series", "stopping_share", "stopped", "visits"},
			want:    []string{"1 | All disciplines | 0.3000 | 3 | 10", "2 | All disciplines | 0.1429 | 1 | 7"},
		},
		{
			name:    "share stopping by visit and discipline",
			request: query.Request{Query: "retention_by_visit", Params: map[string]any{"group": "discipline", "visits": 1}},
			columns: []string{"visit_number", "series", "stopping_share"},
			want:    []string{"1 | Massage | 0.5000", "1 | Physiotherapy | 0.1667"},
		},
		{
			name:    "months that are not over are no cells",
			request: query.Request{Query: "cohort_heatmap", Params: map[string]any{"months": 1}},
			columns: []string{"cohort", "month_index", "active_share", "active"},
			want: []string{
				"2026-07 · 10 | 0 | 1.0000 | 10", "2026-07 · 10 | 1 | 0.6000 | 6",
				"2026-08 · 8 | 0 | 1.0000 | 8", "2026-08 · 8 | 1 | 0.2500 | 2",
			},
		},
		{
			name:    "the newest cohorts are kept",
			request: query.Request{Query: "cohort_heatmap", Params: map[string]any{"cohorts": 1, "months": 6}},
			columns: []string{"cohort_month", "month_index"},
			want:    []string{"2026-08 | 0", "2026-08 | 1"},
		},
		{
			name:    "a status that nobody has is printed",
			request: query.Request{Query: "patient_status_counts"},
			columns: []string{"status", "title", "patients", "share"},
			want: []string{
				"active | Active | 3 | 0.6000", "at_risk | At risk | 0 | 0.0000", "fallen_off | Fallen off | 1 | 0.2000", "finished | Finished | 1 | 0.2000",
			},
		},
		{
			name:    "status within a discipline",
			request: query.Request{Query: "patient_status_counts", Params: map[string]any{"discipline": "Massage"}},
			columns: []string{"status", "patients"},
			want:    []string{"active | 1", "at_risk | 1", "fallen_off | 1", "finished | 0"},
		},
		{
			name:    "a discipline that nobody has is empty, not an error",
			request: query.Request{Query: "patient_status_counts", Params: map[string]any{"discipline": "' or 1=1 --"}},
			columns: []string{"status", "patients", "share"},
			want:    []string{"active | 0 | -", "at_risk | 0 | -", "fallen_off | 0 | -", "finished | 0 | -"},
		},
		{
			name:    "what waits for another insurer is not owed twice",
			request: query.Request{Query: "receivables_aging"},
			columns: []string{"bucket", "series", "amount_cents", "invoices"},
			want:    []string{"0–30 | Insurers | 3000 | 1", "61–90 | Insurers | 12000 | 1", "61–90 | Patients | 4500 | 2"},
		},
		{
			name:    "weeks by state, a week that the range touches included",
			request: query.Request{Query: "visits_by_week", From: day("2026-09-20"), To: day("2026-09-28")},
			columns: []string{"week_from", "series", "appointments", "is_complete"},
			want: []string{
				"2026-09-14 | Arrived | 17 | true", "2026-09-14 | No show | 1 | true",
				"2026-09-21 | Arrived | 11 | true",
				"2026-09-28 | Arrived | 4 | false", "2026-09-28 | Booked | 9 | false",
			},
		},
		{
			name: "weeks by discipline in one state",
			request: query.Request{
				Query:  "visits_by_week",
				Params: map[string]any{"split": "discipline", "state": "arrived", "discipline": "Massage"},
			},
			columns: []string{"week_from", "series", "appointments"},
			want:    []string{"2026-09-14 | Massage | 5"},
		},
		{
			name:    "freshness says how far each dataset is behind",
			request: query.Request{Query: "freshness"},
			columns: []string{"dataset", "rows", "covered_from", "covered_to", "observed_on", "days_behind", "committed_at", "commit_name"},
			want: []string{
				"appointments | 1200 | 2025-01-01 | 2026-09-30 | 2026-09-30 | 0 | 2026-10-01T06:30:00Z | 42",
				"claims | 310 | 2025-01-01 | 2026-09-28 | 2026-09-29 | 2 | 2026-10-01T06:30:00Z | 42",
				"insurers | 3 | - | - | - | - | 2026-10-01T06:30:00Z | 42",
				"policies | 40 | - | - | 2026-09-25 | 5 | 2026-10-01T06:30:00Z | 42",
				"shifts | 24 | - | 2026-10-30 | 2026-09-30 | 0 | 2026-10-01T06:30:00Z | 42",
			},
		},
		{
			name:    "disciplines, all of them first",
			request: query.Request{Query: "disciplines"},
			columns: []string{"text", "value"},
			want:    []string{"All disciplines | all", "Massage | Massage", "Physiotherapy | Physiotherapy"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := engine.Run(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Release()
			got := table(t, answer, test.columns...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if int(answer.Rows) != len(got) {
				t.Errorf("Rows is %d, and there are %d", answer.Rows, len(got))
			}
		})
	}
}

// Every query must be answerable from the marts, with the columns that it promises and types that every reader can take.
func TestEveryAnswerHasThePromisedColumns(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	if missing := engine.Unavailable(); len(missing) > 0 {
		t.Fatalf("queries that the marts cannot answer: %v", missing)
	}
	for _, d := range query.Catalogue() {
		if d.IsReleasedOnly() {
			continue
		}
		answer, err := engine.Run(t.Context(), query.Request{Query: d.Name})
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		for i, c := range d.Columns {
			field := answer.Schema.Field(i)
			if unit, _ := field.Metadata.GetValue(query.FieldUnit); field.Name != c.Name || unit != string(c.Unit) {
				t.Errorf("%s: column %d is %s in %q, not %s in %q", d.Name, i, field.Name, unit, c.Name, c.Unit)
			}
			switch field.Type.ID() {
			case arrow.STRING, arrow.INT64, arrow.FLOAT64, arrow.BOOL:
			case arrow.TIMESTAMP:
				if zone := field.Type.(*arrow.TimestampType).TimeZone; zone != "UTC" {
					t.Errorf("%s: column %s has zone %q", d.Name, c.Name, zone)
				}
			default:
				t.Errorf("%s: column %s travels as %s", d.Name, c.Name, field.Type)
			}
		}
		for key, want := range map[string]string{
			query.MetaQuery: d.Name, query.MetaCommit: "42", query.MetaAsOf: "2026-09-30", query.MetaCurrency: "CAD",
			query.MetaClinic: "harbour-street", query.MetaTimeZone: "America/Toronto",
		} {
			metadata := answer.Schema.Metadata()
			if got, _ := metadata.GetValue(key); got != want {
				t.Errorf("%s: %s is %q, not %q", d.Name, key, got, want)
			}
		}
		if answer.Rows == 0 {
			t.Errorf("%s: no rows", d.Name)
		}
		answer.Release()
	}
}

// Whichever mart has another shape, as one of another version may, the snapshot opens, and what does not need it is answered.
func TestAnyMartMayHaveAnotherShape(t *testing.T) {
	marts := martstest.Small(t)
	for _, other := range slices.Sorted(maps.Keys(marts)) {
		changed := maps.Clone(marts)
		changed[other] = marts["control_totals"]
		if other == "control_totals" {
			changed[other] = marts["leak_ledger"]
		}
		engine := open(t, changed, query.Limits{})
		for _, d := range query.Catalogue() {
			if d.IsReleasedOnly() {
				continue
			}
			answer, err := engine.Run(t.Context(), query.Request{Query: d.Name})
			switch {
			case err == nil:
				answer.Release()
			case !slices.Contains(d.Marts, other):
				t.Errorf("with another %s, %s: %v", other, d.Name, err)
			default:
				if _, ok := errors.AsType[*query.UnavailableError](err); !ok {
					t.Errorf("with another %s, %s: %v", other, d.Name, err)
				}
			}
		}
	}
}

func TestASnapshotWithoutAMartAnswersTheRest(t *testing.T) {
	marts := martstest.Small(t)
	delete(marts, "falloff_by_days")
	marts["patient_status"] = marts["leak_ledger"] // another shape
	engine := open(t, marts, query.Limits{})
	for name, want := range map[string]string{"retention_curve": "falloff_by_days", "patient_status_counts": "shape"} {
		_, err := engine.Run(t.Context(), query.Request{Query: name})
		var unavailable *query.UnavailableError
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), want) || unavailable.Hint() == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	answer, err := engine.Run(t.Context(), query.Request{Query: "leak_total"})
	if err != nil {
		t.Fatal(err)
	}
	answer.Release()
}

func TestRefusals(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{Rows: 4})
	for _, test := range []struct {
		name    string
		request query.Request
		want    any
	}{
		{"unknown query", query.Request{Query: "select 1"}, new(*query.UnknownQueryError)},
		{"unknown parameter", query.Request{Query: "leak_total", Params: map[string]any{"x": 1}}, new(*query.ParameterError)},
		{"number out of range", query.Request{Query: "worst_open_leaks", Params: map[string]any{"limit": 0}}, new(*query.ParameterError)},
		{"half a row", query.Request{Query: "worst_open_leaks", Params: map[string]any{"limit": 1.5}}, new(*query.ParameterError)},
		{"a number that is SQL", query.Request{Query: "worst_open_leaks", Params: map[string]any{"limit": "1; drop table leak_ledger"}}, new(*query.ParameterError)},
		{"a choice that is none", query.Request{Query: "leaks_by_category", Params: map[string]any{"certainty": "' or true --"}}, new(*query.ParameterError)},
		{"a list for a text", query.Request{Query: "patient_status_counts", Params: map[string]any{"discipline": []any{"a"}}}, new(*query.ParameterError)},
		{"a text too long", query.Request{Query: "patient_status_counts", Params: map[string]any{"discipline": strings.Repeat("a", 201)}}, new(*query.ParameterError)},
		{"more rows than are given out", query.Request{Query: "leaks_by_month"}, new(*query.TooLargeError)},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := engine.Run(t.Context(), test.request)
			if !errors.As(err, test.want) {
				t.Fatalf("got %v, want %T", err, test.want)
			}
			var hinted interface{ Hint() string }
			if !errors.As(err, &hinted) || hinted.Hint() == "" {
				t.Errorf("%v has no hint", err)
			}
		})
	}
}

func TestACancelledRequestSaysSo(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine.Run(ctx, query.Request{Query: "leak_total"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOpenNamesTheMartThatIsBroken(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "it's broken.parquet")
	if err := os.WriteFile(broken, []byte("PAR1 but no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, marts := range map[string]map[string][]string{
		"leak_ledger":          {"leak_ledger": {broken}},
		"patient_status":       {"patient_status": {filepath.Join(t.TempDir(), "absent.parquet")}},
		"no mart's name":       {`x"; drop table y; --`: {broken}},
		`"snapshot_freshness"`: {"snapshot_freshness": {broken}},
	} {
		_, err := query.Open(t.Context(), marts, martstest.Meta("c", "1"), query.Limits{})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAQuestionThatIsGivenUpStops(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	// Unstopped it takes hours.
	_, err := engine.RunText(ctx, "select count(*)::bigint as n from range(10000000) a, range(10000000) b where a.range * 7 % 11 = b.range % 13")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it stopped after %s", took)
	}
	if _, err := engine.Run(t.Context(), query.Request{Query: "leak_total"}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAQuestionThatEatsMemoryEndsAlone(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{MemoryMB: 64})
	_, err := engine.RunText(t.Context(), "select len(list(repeat('x', 1000) || range::varchar))::bigint as n from range(1000000)")
	if _, ok := errors.AsType[*query.TooMuchMemoryError](err); !ok {
		t.Errorf("got %v", err)
	}
	if engine.Broken() {
		t.Error("it takes the engine with it")
	}
	if _, err := engine.Run(t.Context(), query.Request{Query: "leak_total"}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
