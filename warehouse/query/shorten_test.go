package query_test

import (
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

// ways are parameters for a query: each value of each choice, the least and the most of each number, and some texts.
func ways(d query.Definition) []map[string]any {
	all := []map[string]any{{}}
	for _, p := range d.Parameters {
		switch p.Type {
		case query.ChoiceParameter:
			for _, allowed := range p.Allowed {
				all = append(all, map[string]any{p.Name: allowed})
			}
		case query.IntegerParameter:
			all = append(all, map[string]any{p.Name: p.Min}, map[string]any{p.Name: p.Max})
		default:
			for _, typed := range []string{"Massage", "Robin Mercer", "nobody", "o'neill"} {
				all = append(all, map[string]any{p.Name: typed})
			}
		}
	}
	return all
}

// Every query, asked in all these ways, answers the same from tables that are kept short, every one of them, and from tables as the marts
// are, before anybody said something of a leak and after.
func TestShortTablesAnswerTheSame(t *testing.T) {
	answers := func(limits query.Limits) []string {
		engine := open(t, martstest.Closed(t), limits)
		var all []string
		for version, state := range contract.AllLeakStates() {
			if err := engine.Say(t.Context(), int64(version), []query.LeakSaid{{LeakID: "no_show_fee/9003", State: state}}); err != nil {
				t.Fatal(err)
			}
			if version > 0 && version < len(contract.AllLeakStates())-1 {
				continue
			}
			for _, d := range query.Catalogue() {
				if d.IsReleasedOnly() {
					continue
				}
				for _, params := range ways(d) {
					request := query.Request{Query: d.Name, Params: params, From: civil.Date{Year: 2026, Month: 6, Day: 10}}
					answer, err := engine.Run(t.Context(), request)
					if err != nil {
						t.Fatalf("%s %v: %v", d.Name, params, err)
					}
					all = append(all, fmt.Sprintf("%s %v", d.Name, params))
					for _, batch := range answer.Batches {
						for _, column := range batch.Columns() {
							all = append(all, column.String())
						}
					}
					answer.Release()
				}
			}
		}
		return all
	}
	short, long := answers(query.Short), answers(query.Long)
	if diff := cmp.Diff(long, short); diff != "" {
		t.Errorf("from short tables (-as they are +short):\n%s", diff)
	}
	if rows := len(strings.Join(long, "")); rows < 50_000 {
		t.Errorf("the answers are %d bytes in all: too little to tell by", rows)
	}
}

// The program's own words are written into the statement, where DuckDB plans with them; what a person typed never is, whatever it is.
func TestWhatPeopleTypeIsNoPartOfAStatement(t *testing.T) {
	d, ok := query.Lookup("leak_worklist")
	if !ok {
		t.Fatal("there is no leak_worklist")
	}
	for _, typed := range []string{"typed", "typed' or true --", "$limit typed", ""} {
		bound, err := d.Bind(map[string]any{"payer": typed, "limit": 7})
		if err != nil {
			t.Fatal(err)
		}
		written := query.Written(d, bound)
		if strings.Contains(written, "typed") {
			t.Errorf("%q is part of the statement:\n%s", typed, written)
		}
		if !strings.Contains(written, "$payer") {
			t.Errorf("%q: the payer is not bound", typed)
		}
		for _, own := range []string{"$certainty", "$state", "$staff_member", "$limit"} {
			if strings.Contains(written, own) {
				t.Errorf("%s is this program's own word, and not written", own)
			}
		}
	}
}

// The values of a metric's filters are what people typed, too, and its definition declares none of them.
func TestFiltersOfMetricsAreBound(t *testing.T) {
	written := query.Written(query.Asking("$p_aaa $from"), map[string]any{"p_aaa": "typed", "from": "2026-01-01"})
	if written != "$p_aaa '2026-01-01'" {
		t.Errorf("got %s", written)
	}
}

// Choices and defaults are words that cannot end a literal: they would be bound, and planned for badly, otherwise.
func TestOwnWordsCanBeWritten(t *testing.T) {
	for _, d := range query.Catalogue() {
		for _, params := range ways(d) {
			bound, err := d.Bind(params)
			if err != nil {
				t.Fatal(err)
			}
			written := query.Written(d, bound)
			for _, p := range d.Parameters {
				if p.Type != query.TextParameter && strings.Contains(written, "$"+p.Name) {
					t.Errorf("%s: $%s is not written where it is %v", d.Name, p.Name, bound[p.Name])
				}
			}
		}
	}
}
