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
	states, err := engine.Run(t.Context(), query.Request{Query: "leaks_by_state"})
	if err != nil {
		t.Fatal(err)
	}
	want = []string{
		"open | 2 | 13000 | 2026-08-14", "assigned | 0 | 0 | -", "contacted | 2 | 15000 | 2026-07-02",
		"recovered | 0 | 0 | -", "written_off | 2 | 19000 | 2026-08-20", "expired | 0 | 0 | -",
	}
	if got := table(t, states, "state", "leaks", "amount_cents", "oldest_on"); !slices.Equal(got, want) {
		t.Errorf("the sums then: %q, want %q", got, want)
	}
	states.Release()
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

// A patient with nothing booked is a task under the name that the leak has once they have fallen off; who is booked, or came in a new
// episode, has ended it.
func TestTasksOfWinningPatientsBack(t *testing.T) {
	engine := open(t, martstest.Small(t), query.Limits{})
	tasks := func(params map[string]any) []string {
		answer, err := engine.Run(t.Context(), query.Request{Query: "recovery_tasks", Params: params})
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Release()
		lines := table(t, answer, "place", "patient", "state", "state_since", "assignee", "result", "ended_on", "leak_id")
		for i := range lines {
			lines[i] = strings.Clone(lines[i])
		}
		return lines
	}
	same := func(when string, params map[string]any, want ...string) {
		t.Helper()
		if got := tasks(params); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	same("before anybody said anything", nil,
		"1 | p1_bbb | Open | - | - | Not begun | - | falloff/p1_bbb/Physiotherapy/2026",
		"2 | p1_ccc | Open | - | - | Not begun | - | falloff/p1_ccc/Physiotherapy/2026",
	)
	september := func(d int) civil.Date { return civil.Date{Year: 2026, Month: time.September, Day: d} }
	if err := engine.Say(t.Context(), 3, []query.LeakSaid{
		{LeakID: "falloff/p1_aaa/Physiotherapy/2026", State: "contacted", Assignee: "Robin Mercer", Since: september(26)},
		{LeakID: "falloff/p1_bbb/Physiotherapy/2026", State: "assigned", Assignee: "Robin Mercer", Since: september(28)},
		{LeakID: "falloff/p1_ccc/Physiotherapy/2026", State: "written_off", Note: "no_answer", Since: september(29)},
		{LeakID: "falloff/p1_eee/Physiotherapy/2024", State: "contacted", Assignee: "Sam Okafor", Since: civil.Date{Year: 2026, Month: time.January, Day: 2}},
		{LeakID: "falloff/p1_zzz/Physiotherapy/2024", State: "contacted", Since: september(1)},
	}); err != nil {
		t.Fatal(err)
	}
	same("what waits", nil, "1 | p1_bbb | Assigned | 2026-09-28 | Robin Mercer | Waiting | - | falloff/p1_bbb/Physiotherapy/2026")
	same("what has ended", map[string]any{"state": "ended"},
		"1 | p1_ccc | Written off | 2026-09-29 | - | Given up | - | falloff/p1_ccc/Physiotherapy/2026",
		"2 | p1_aaa | Contacted | 2026-09-26 | Robin Mercer | Booked | 2026-10-02 | falloff/p1_aaa/Physiotherapy/2026",
		"3 | p1_eee | Contacted | 2026-01-02 | Sam Okafor | Came back | 2026-01-05 | falloff/p1_eee/Physiotherapy/2024",
	)
	same("the tasks of one", map[string]any{"state": "all", "assignee": "Sam Okafor"}, "1 | p1_eee | Contacted | 2026-01-02 | Sam Okafor | Came back | 2026-01-05 | falloff/p1_eee/Physiotherapy/2024")
	same("of one state", map[string]any{"state": "contacted"})

	back, err := engine.Run(t.Context(), query.Request{Query: "patients_won_back"})
	if err != nil {
		t.Fatal(err)
	}
	if got := table(t, back, "month", "series", "patients"); !slices.Equal(got, []string{"2026-01-01 | By us | 1"}) {
		t.Errorf("who came back: %q", got)
	}
	back.Release()
}

// A practitioner's engine has no ledger, and shows tasks all the same.
func TestTasksShowWithoutALedger(t *testing.T) {
	files := martstest.Small(t)
	delete(files, query.LedgerMart)
	engine := open(t, files, query.Limits{})
	if err := engine.Say(t.Context(), 1, []query.LeakSaid{{LeakID: "falloff/p1_bbb/Physiotherapy/2026", State: "contacted"}, {LeakID: "no_show_fee/9003", State: "assigned"}}); err != nil {
		t.Fatal(err)
	}
	answer, err := engine.Run(t.Context(), query.Request{Query: "recovery_tasks", Params: map[string]any{"state": "contacted"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Release()
	if got := table(t, answer, "patient"); !slices.Equal(got, []string{"p1_bbb"}) {
		t.Errorf("contacted: %q", got)
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
