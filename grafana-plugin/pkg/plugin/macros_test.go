package plugin

import (
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

func september() backend.DataQuery {
	return backend.DataQuery{
		TimeRange:     backend.TimeRange{From: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 9, 30, 23, 59, 59, 0, time.UTC)},
		MaxDataPoints: 800, Interval: time.Hour,
	}
}

func TestMacrosAreWrittenOut(t *testing.T) {
	const from, to = "date '2026-09-01'", "date '2026-09-30'"
	for _, test := range []struct{ text, want string }{
		{"select 1", "select 1"},
		{"where $__timeFilter(occurred_on)", "where cast(occurred_on as date) between " + from + " and " + to},
		{"where $__timeFilter( leak.\"occurred_on\" )", "where cast(leak.\"occurred_on\" as date) between " + from + " and " + to},
		{"where $__timeFilter(greatest(a, coalesce(b, c)))", "where cast(greatest(a, coalesce(b, c)) as date) between " + from + " and " + to},
		{"where day >= $__timeFrom and day <= $__timeTo()", "where day >= " + from + " and day <= " + to},
		{"select $__timeGroup(occurred_on, month), $__timeGroup(occurred_on,'WEEK')", "select date_trunc('month', cast(occurred_on as date)), date_trunc('week', cast(occurred_on as date))"},
		{"select $__timeGroup(occurred_on, $__interval), day + $__interval", "select date_trunc('day', cast(occurred_on as date)), day + interval '1 day'"},
		// Not in texts, names or comments, of whatever kind and however they end.
		{"select '$__timeFrom', '''$__timeFrom', 'it''s $__timeTo'", "select '$__timeFrom', '''$__timeFrom', 'it''s $__timeTo'"},
		{`select "$__timeFrom" as "a""$__timeTo"`, `select "$__timeFrom" as "a""$__timeTo"`},
		{"select 1 -- $__timeFrom' \n, $__timeTo", "select 1 -- $__timeFrom' \n, " + to},
		{"select /* $__timeFrom /* ' */ $__timeFrom */ $__timeTo", "select /* $__timeFrom /* ' */ $__timeFrom */ " + to},
		{"select $$ $__timeFrom $$, $__timeTo", "select $$ $__timeFrom $$, " + to},
		{"select $a$ $$ $__timeFrom ' $a$, $__timeTo", "select $a$ $$ $__timeFrom ' $a$, " + to},
		{`select e'\' $__timeFrom', $__timeTo`, `select e'\' $__timeFrom', ` + to},
		{`select '\', $__timeTo`, `select '\', ` + to},
		{"select 'never closed $__timeFrom", "select 'never closed $__timeFrom"},
		{"select /* never closed $__timeFrom", "select /* never closed $__timeFrom"},
		// A bracket or comma in a text is none.
		{"where $__timeFilter(coalesce(a, ')'))", "where cast(coalesce(a, ')') as date) between " + from + " and " + to},
		{"where $__timeGroup(coalesce(a, ','), year)", "where date_trunc('year', cast(coalesce(a, ',') as date))"},
		{"where $__timeFilter(a /* ) */)", "where cast(a /* ) */ as date) between " + from + " and " + to},
		{"select $1, '$clinic', a.$__timeFrom", "select $1, '$clinic', a." + from},
		{"select 'ü', $__timeTo", "select 'ü', " + to},
	} {
		got, err := expand(test.text, september())
		if err != nil || got != test.want {
			t.Errorf("%s\n  becomes %s (%v)\n  and should be %s", test.text, got, err, test.want)
		}
	}
}

func TestAMacroThatIsMisusedIsSaid(t *testing.T) {
	for _, text := range []string{
		"$__timeFilter", "$__timeFilter()", "$__timeFilter(a, b)", "$__timeFilter(a", "$__timeFrom(a)", "$__timeGroup(a)", "$__timeGroup(a, hour)",
		"$__timeGroup(a, month', 1) --)", "$__unixEpochFilter(a)", "$__interval(1)", "$__timeFilter(')",
	} {
		got, err := expand("select 1 where "+text, september())
		if p := problemOf(err); err == nil || p.Category != categoryQuery || p.Hint == "" || !strings.Contains(p.Message, "$__") {
			t.Errorf("%s becomes %s, %v", text, got, err)
		}
	}
}

// Whatever is written, expanding ends, and what has no macro stays as it was.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"select $__timeFilter(a)", "'", "$a$", "/*/*", "--", "$__timeGroup(a,'", "e'\\", "$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := expand(text, september())
		if err == nil && !strings.Contains(text, "$__") && got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func TestTheGrainFitsThePanel(t *testing.T) {
	for _, test := range []struct {
		days int
		unit string
	}{{30, "day"}, {90, "week"}, {365, "week"}, {730, "month"}, {3650, "quarter"}, {10000, "year"}} {
		q := september()
		q.TimeRange.From = q.TimeRange.To.AddDate(0, 0, -test.days)
		if got := unitOf(q); got != test.unit {
			t.Errorf("%d days are shown by %s, and should be by %s", test.days, got, test.unit)
		}
	}
	if coarse("day") != "month" || coarse("year") != "year" {
		t.Error("metrics are known by months and longer")
	}
}
