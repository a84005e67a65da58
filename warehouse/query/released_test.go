package query_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

// openReleased opens the released tables and no mart.
func openReleased(t *testing.T, tables ...string) *query.Engine {
	t.Helper()
	if tables == nil {
		for _, g := range disclosure.Groups() {
			for _, table := range g.Tables {
				tables = append(tables, table.Name)
			}
		}
	}
	engine, err := query.OpenFiles(t.Context(), query.Files{Released: martstest.Released(t), ReleasedTables: tables},
		martstest.Meta("harbour-street", "42"), query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}

func asReleased(t *testing.T, e *query.Engine, name string, params map[string]any) *query.Answer {
	t.Helper()
	answer, err := e.Run(t.Context(), query.Request{Query: name, Params: params, Released: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(answer.Release)
	return answer
}

func TestWhatIsWithheldIsNullAndSaidAndNeverZero(t *testing.T) {
	e := openReleased(t)
	answer := asReleased(t, e, "patient_status_counts", nil)
	got := table(t, answer, "status", "patients", "share", "withheld")
	// Five have fallen off. The total of 97 is released, so that one of the others goes with them.
	if len(got) != 4 || got[2] != "fallen_off | - | - | true" || answer.Withheld != 2 {
		t.Errorf("%d are withheld:\n%s", answer.Withheld, strings.Join(got, "\n"))
	}
	for _, shown := range []string{"active | 60 | - | false", "at_risk | 20 | - | false"} {
		if !slices.Contains(got, shown) {
			t.Errorf("%s is not shown:\n%s", shown, strings.Join(got, "\n"))
		}
	}
	metadata := answer.Schema.Metadata()
	note, ok := metadata.GetValue(query.MetaNote)
	if !ok || !strings.Contains(note, "2 rows are withheld") || !strings.Contains(note, "11 patients") {
		t.Errorf("the note is %q", note)
	}

	answer = asReleased(t, e, "leaks_by_month", map[string]any{"split": "all"})
	if diff := cmp.Diff([]string{"2026-07-01 | Leaked | 570665 | 70 | false", "2026-08-01 | Leaked | 326133 | 37 | false"},
		table(t, answer, "month", "series", "amount_cents", "leaks", "withheld")); diff != "" {
		t.Error(diff)
	}
	metadata = answer.Schema.Metadata()
	if note, _ := metadata.GetValue(query.MetaNote); note != "Of services in months that are over, firm and likely leaks together." {
		t.Errorf("nothing is withheld, and the note is %q", note)
	}
	answer = asReleased(t, e, "leaks_by_month", nil)
	for _, line := range table(t, answer, "month", "series", "amount_cents", "leaks", "withheld") {
		if strings.Contains(line, "No-show") && line != "2026-07-01 | No-show fee not charged | - | - | true" && line != "2026-08-01 | No-show fee not charged | - | - | true" {
			t.Errorf("of the fees: %s", line)
		}
	}
	if answer.Withheld != 4 { // the square of two months and two categories that holds the three patients
		t.Errorf("%d cells are withheld", answer.Withheld)
	}
	if got := table(t, asReleased(t, e, "leak_total", nil), "amount_cents", "leaks", "patients", "withheld"); got[0] != "896798 | 107 | - | false" {
		t.Errorf("in all: %s", got)
	}
}

// Whoever sees no rows is answered the same questions, as far as released tables go.
func TestReleasedAnswers(t *testing.T) {
	e := openReleased(t)
	for _, test := range []asked{
		{
			"leaks by state", of("leaks_by_state", nil),
			[]string{"state", "leaks", "oldest_on"},
			[]string{"open | 107 | -", "assigned | 0 | -", "contacted | 0 | -", "recovered | 0 | -", "written_off | 0 | -", "expired | 0 | -"},
		},
		{
			"what was recovered, of all categories", of("recoveries_by_month", nil),
			[]string{"month", "series", "amount_cents"},
			[]string{"2026-08-01 | By us | 10000", "2026-08-01 | On its own | 12000"},
		},
		{
			"what was recovered, of one", of("recoveries_by_month", map[string]any{"category": "copay_missed"}),
			[]string{"series", "amount_cents"},
			[]string{"By us | 0", "On its own | 6000"},
		},
		{
			"collected of what was invoiced", of("collections_by_month", map[string]any{"side": "every"}),
			[]string{"series", "expected_cents", "gross_rate", "net_rate"},
			[]string{"All together | 30000 | 0.7333 | 0.8462", "Insurers | 20000 | 0.6000 | 0.7500", "Patients | 10000 | 1.0000 | 1.0000"},
		},
		{
			"what was taken off", of("adjustments_by_month", nil),
			[]string{"month", "series", "amount_cents"},
			[]string{"2026-07-01 | Write off | 5000"},
		},
		{
			"insurers", of("payers", nil),
			[]string{"payer", "claims_sent", "rejection_rate", "open_cents"},
			[]string{"Sun Life | 40 | 0.5000 | -"},
		},
		{
			"insurers by month", of("payers_by_month", map[string]any{"split": "payer"}),
			[]string{"month", "series", "claims_rejected", "mean_days_to_pay"},
			[]string{"2026-07-01 | Sun Life | 20 | 12.0000"},
		},
		{
			"who comes, in all", of("show_rates", map[string]any{"dimension": "all"}),
			[]string{"value", "expected", "no_show_share"},
			[]string{"All appointments | 63 | 0.2381"},
		},
		{
			"who comes, by weekday", of("show_rates", map[string]any{"dimension": "weekday"}),
			[]string{"value", "expected", "no_show_share"},
			[]string{"Monday | 33 | 0.0000", "Friday | 30 | 0.5000"},
		},
		{
			"who comes, by hour", of("show_rates", map[string]any{"dimension": "hour"}),
			[]string{"value", "expected"},
			[]string{"08:00 | 33", "14:00 | 30"},
		},
		{
			"no-shows by practitioner", of("show_rates_by_month", map[string]any{"dimension": "staff_member"}),
			[]string{"month", "series", "no_show_share"},
			[]string{"2026-07-01 | Robin Mercer | 0.0000", "2026-07-01 | Sam Okafor | 0.5000"},
		},
		{
			"utilisation", of("utilisation_by_month", nil),
			[]string{"month", "series", "utilisation", "open_hours", "idle_hours"},
			// 33 × 45 and 30 × 30 of 63 × 60 minutes.
			[]string{"2026-07-01 | All together | 0.6310 | 63.0000 | -"},
		},
		{
			"utilisation of one practitioner", of("utilisation_by_month", map[string]any{"staff_member": "Sam Okafor"}),
			[]string{"series", "utilisation"},
			[]string{"Sam Okafor | 0.5000"},
		},
		{
			"practitioners beside each other", of("falloff_summary", nil),
			[]string{"value", "episodes", "median_days", "conversion_share", "rebooked_share"},
			[]string{"Robin Mercer | 30 | - | 1.0000 | 0.5000", "Sam Okafor | 20 | - | 0.0000 | 0.2500"},
		},
		{
			"cohorts beside each other", of("falloff_summary", map[string]any{"dimension": "cohort_month"}),
			[]string{"value", "episodes"},
			[]string{"2026-06 | 30", "2026-07 | 20"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, table(t, asReleased(t, e, test.request.Query, test.request.Params), test.columns...)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	// Three booked more than 30 days ahead: what is told of them is that it is withheld.
	got := table(t, asReleased(t, e, "show_rates", nil), "value", "expected", "no_show_share", "withheld")
	if !slices.Contains(got, "Over 30 days | - | - | true") || slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, "| 3 |") }) {
		t.Errorf("of those who booked long ahead:\n%s", strings.Join(got, "\n"))
	}
}

// Every released query is asked with every choice it offers: none may tell what few patients have.
func TestNoReleasedAnswerTellsOfFewPatients(t *testing.T) {
	e := openReleased(t)
	asked := 0
	for _, d := range query.Catalogue() {
		if d.Released == nil {
			continue
		}
		for _, params := range choices(d.Parameters) {
			answer, err := e.Run(t.Context(), query.Request{Query: d.Name, Params: params, Released: true})
			if _, refused := errors.AsType[*query.ParameterError](err); refused {
				continue
			}
			if _, lacking := errors.AsType[*query.UnavailableError](err); lacking { // the fixture has not every group
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			asked++
			for _, column := range d.Columns {
				for _, line := range table(t, answer, column.Name) {
					if line == "14133" || line == "14133.0000" || line == "5" && column.Name == "patients" || line == "5.0000" || line == "3" || line == "3.0000" {
						t.Errorf("%s %v tells %s in %s", d.Name, params, line, column.Name)
					}
				}
			}
			answer.Release()
		}
	}
	if asked < 20 {
		t.Errorf("only %d answers were looked at", asked)
	}
}

// choices are all combinations of the values of choice parameters.
func choices(parameters []query.Parameter) []map[string]any {
	all := []map[string]any{{}}
	for _, p := range parameters {
		if p.Type != query.ChoiceParameter {
			continue
		}
		var next []map[string]any
		for _, chosen := range all {
			for _, value := range p.Allowed {
				more := maps.Clone(chosen)
				more[p.Name] = value
				next = append(next, more)
			}
		}
		all = next
	}
	return all
}

func TestAReleasedAnswerRefusesWhatWouldTellMore(t *testing.T) {
	e := openReleased(t)
	_, err := e.Run(t.Context(), query.Request{Query: "leaks_by_month", Params: map[string]any{"certainty": "firm"}, Released: true})
	refused, ok := errors.AsType[*query.ParameterError](err)
	if !ok || refused.Parameter != "certainty" || !strings.Contains(refused.Hint(), "owed") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"worst_open_leaks", "visits_by_week"} {
		_, err = e.Run(t.Context(), query.Request{Query: name, Released: true})
		if _, ok := errors.AsType[*query.UnavailableError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is not loaded is not there: neither by its own query nor by the one about all of them.
	e = openReleased(t, "patients", "patients_by_status")
	if got := table(t, asReleased(t, e, "released_falloff", map[string]any{"table": "patients"}), "measure", "value", "unit"); len(got) != 2 ||
		got[0] != "patients | 97.0000 | count" {
		t.Errorf("%q", got)
	}
	if _, err = e.Run(t.Context(), query.Request{Query: "released_money", Released: true}); err == nil {
		t.Error("money is told by an engine that has none")
	}
	if _, err = e.Run(t.Context(), query.Request{Query: "released_falloff"}); err == nil {
		t.Error("released tables are told without asking for them")
	}
}
