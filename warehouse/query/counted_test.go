package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

// total adds up a column of whole numbers of an answer.
func total(t *testing.T, answer *query.Answer, column string) int64 {
	t.Helper()
	var sum int64
	for _, batch := range answer.Batches {
		cells, ok := batch.Column(answer.Schema.FieldIndices(column)[0]).(*array.Int64)
		if !ok {
			t.Fatalf("%s is no column of whole numbers", column)
		}
		for _, value := range cells.Int64Values() {
			sum += value
		}
	}
	return sum
}

// Leaks by month are of the very days that are asked for, though months that the days hold whole were added up before.
func TestLeaksByMonthAreOfTheDaysAskedFor(t *testing.T) {
	engine := open(t, martstest.Large(t), query.Limits{})
	for _, days := range [][2]string{
		{"", ""},
		{"2026-01-01", "2026-06-30"},
		{"2026-01-02", "2026-06-30"},
		{"2026-01-01", "2026-06-29"},
		{"2026-03-09", "2026-03-20"},
		{"2026-03-09", "2026-04-10"},
		{"2026-03-09", "2026-05-10"},
		{"2026-03-31", "2026-04-01"},
		{"2026-02-28", ""},
		{"", "2026-02-27"},
		{"2026-05-10", "2026-05-01"},
	} {
		request := query.Request{Query: "leaks_by_month", Params: map[string]any{"split": "location", "certainty": "all"}}
		condition := "category <> 'falloff'"
		if days[0] != "" {
			request.From = day(days[0])
			condition += fmt.Sprintf(" and occurred_on >= date '%s'", days[0])
		}
		if days[1] != "" {
			request.To = day(days[1])
			condition += fmt.Sprintf(" and occurred_on <= date '%s'", days[1])
		}
		answer, err := engine.Run(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for column, sum := range map[string]string{"leaks": "count(*)", "amount_cents": "coalesce(sum(amount_cents), 0)"} {
			rows, err := engine.RunText(t.Context(), "select "+sum+" as n from leak_ledger where "+condition)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := total(t, answer, column), total(t, rows, "n"); got != want {
				t.Errorf("from %q to %q: %s are %d, and the ledger's rows add up to %d", days[0], days[1], column, got, want)
			}
			rows.Release()
		}
		answer.Release()
	}
}

// The lists give the first of all rows in the list's order, though they read no further than they must, and they still do when people
// have said something of the leaks on top.
func TestListsGiveTheFirstOfAll(t *testing.T) {
	engine := open(t, martstest.Large(t), query.Limits{})
	columns := []string{"amount_cents", "occurred_on", "category", "source_id"}
	list := func(limit int) []string {
		return worklist(t, engine, map[string]any{"certainty": "all", "limit": limit, "category": "no_show_fee"}, columns...)
	}
	// every is the whole list, in its order by another way: the key of each row sorted as text.
	every := func() []string {
		sorted, err := engine.Pairs(t.Context(), `
			select printf('%012d', 1000000000 - amount_cents) || strftime(occurred_on, '%Y-%m-%d') || source_id as key,
				amount_cents || ' | ' || occurred_on || ' | ' || category || ' | ' || source_id as line
			from leak_ledger where category = 'no_show_fee' and state in ('open', 'assigned', 'contacted')`)
		if err != nil {
			t.Fatal(err)
		}
		if len(sorted) < 2000 {
			t.Fatalf("there are %d leaks to list: too few to tell by", len(sorted))
		}
		slices.SortFunc(sorted, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		var lines []string
		for _, s := range sorted {
			lines = append(lines, s[1])
		}
		return lines
	}
	same := func(when string) []string {
		t.Helper()
		want := every()
		for _, limit := range []int{1, 20, 1000} {
			if got := list(limit); !slices.Equal(got, want[:limit]) {
				t.Errorf("%s, the first %d are other rows", when, limit)
			}
		}
		return want
	}
	before := same("before anybody said anything")
	var said []query.LeakSaid
	for i, line := range before[:300] {
		_, id, _ := strings.Cut(line, "no_show_fee | ")
		said = append(said, query.LeakSaid{LeakID: "no_show_fee/" + id, State: []string{"written_off", "assigned", "contacted"}[i%3], Assignee: "Robin Mercer", Since: civil.Date{Year: 2026, Month: 9, Day: 3}})
	}
	if err := engine.Say(t.Context(), 1, said); err != nil {
		t.Fatal(err)
	}
	if after := same("after 300 words"); len(after) != len(before)-100 {
		t.Errorf("of %d leaks %d are left after 100 were written off", len(before), len(after))
	}
}
