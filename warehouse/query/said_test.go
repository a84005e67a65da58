package query_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

func worklist(t *testing.T, engine *query.Engine, params map[string]any, columns ...string) []string {
	t.Helper()
	answer, err := engine.Run(t.Context(), query.Request{Query: "leak_worklist", Params: params})
	if err != nil {
		t.Fatal(err)
	}
	lines := table(t, answer, columns...)
	for i := range lines {
		lines[i] = strings.Clone(lines[i]) // they lie in the answer's memory
	}
	answer.Release()
	return lines
}

func TestWhatIsSaidOfALeakShowsAtOnce(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	columns := []string{"source_id", "state", "state_since", "state_days", "assignee", "last_note"}
	if got := worklist(t, engine, map[string]any{"limit": 2, "state": "all"}, columns...); !slices.Equal(got, []string{"1531-C01 | Assigned | - | - | - | -", "9001 | Open | - | - | - | -"}) {
		t.Errorf("before anybody said anything: %q", got)
	}
	september := func(d int) civil.Date { return civil.Date{Year: 2026, Month: time.September, Day: d} }
	said := []query.LeakSaid{
		{LeakID: "claim_rejected/1531-C01", State: "contacted", Assignee: "Robin Mercer", Note: "resubmitted", Since: september(20)},
		{LeakID: "arrived_no_charge/9001", State: "written_off", Since: september(30).AddDays(2)},
		{LeakID: "of_another/1", State: "assigned", Since: september(1)},
	}
	if err := engine.Say(t.Context(), 7, said); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1531-C01 | Contacted | 2026-09-20 | 10 | Robin Mercer | resubmitted",
		"9001 | Written off | 2026-10-02 | 0 | - | -",
	}
	if got := worklist(t, engine, map[string]any{"limit": 2, "state": "all"}, columns...); !slices.Equal(got, want) {
		t.Errorf("then: %q, want %q", got, want)
	}
	if got := worklist(t, engine, map[string]any{"assignee": "Robin Mercer", "state": "all"}, "source_id"); !slices.Equal(got, []string{"1531-C01"}) {
		t.Errorf("the tasks of one: %q", got)
	}
	// The list asks by what is said by now, and an older word does not come back.
	if err := engine.Say(t.Context(), 6, []query.LeakSaid{{LeakID: "claim_rejected/1531-C01", State: "open", Since: september(2)}}); err != nil {
		t.Fatal(err)
	}
	if got := worklist(t, engine, map[string]any{"state": "contacted"}, "source_id"); !slices.Equal(got, []string{"1531-C01", "1531-P01"}) {
		t.Errorf("those contacted: %q", got)
	}
	if got := worklist(t, engine, map[string]any{"state": "unsettled", "limit": 2}, "source_id"); !slices.Equal(got, []string{"1531-C01", "1540-C01"}) {
		t.Errorf("those not settled: %q", got)
	}
	// It is taken back: nobody has it any more.
	said[0] = query.LeakSaid{LeakID: "claim_rejected/1531-C01", State: "open", Since: september(30)}
	if err := engine.Say(t.Context(), 8, said); err != nil {
		t.Fatal(err)
	}
	if got := worklist(t, engine, map[string]any{"limit": 1, "state": "all"}, columns...); !slices.Equal(got, []string{"1531-C01 | Open | 2026-09-30 | 0 | - | -"}) {
		t.Errorf("after it was reopened: %q", got)
	}
}

// Answers that run while something is said are of before or after it: what is said of two leaks together shows together.
func TestAnAnswerIsOfOneSaying(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	say := func(version int64) {
		state := []string{"assigned", "contacted"}[version%2]
		if err := engine.Say(t.Context(), version, []query.LeakSaid{
			{LeakID: "claim_rejected/1531-C01", State: state}, {LeakID: "no_show_fee/9003", State: state},
		}); err != nil {
			t.Error(err)
		}
	}
	say(1)
	var saying sync.WaitGroup
	saying.Go(func() {
		for version := range int64(40) {
			say(version + 2)
		}
	})
	for range 40 {
		var states []string
		for _, line := range worklist(t, engine, nil, "state", "source_id") {
			if state, id, _ := strings.Cut(line, " | "); id == "9003" || id == "1531-C01" {
				states = append(states, state)
			}
		}
		if len(states) != 2 || states[0] != states[1] {
			t.Fatalf("the two stand as %q", states)
		}
	}
	saying.Wait()
}
