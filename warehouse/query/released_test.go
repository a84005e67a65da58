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
			if _, lacking := errors.AsType[*query.UnavailableError](err); lacking { // the fixture has two groups
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
