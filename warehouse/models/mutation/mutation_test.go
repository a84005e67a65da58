package mutation_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/mutation"
	"github.com/falloff-analytics/falloff/warehouse/models/unittest"
)

// changes are what the mutants of a statement show between braces, without what is in all of them.
func changes(statement string) []string {
	var out []string
	for _, m := range mutation.MutantsOf("marts/m.sql", statement) {
		_, change, _ := strings.Cut(m.ID, "{")
		change, _, _ = strings.Cut(change, "}")
		out = append(out, string(m.Operator)+": "+change)
	}
	return out
}

func TestMistakesThatAreMade(t *testing.T) {
	for name, test := range map[string]struct {
		statement string
		want      []string
	}{
		"a comparison at its edge": {
			"select a.x < b.y, a.x >= b.y, a.x = b.y, a.x <> b.y from a",
			[]string{"comparison: < → <=", "comparison: >= → >", "comparison: = → <>", "comparison: <> → ="},
		},
		"no comparisons": {"select a::date, list_transform(x, y -> y), f(a := 'b'), g(a => 'b'), a || b from a", nil},
		"parts of conditions": {
			"select a from b inner join c on b.x = c.x and b.y between c.p and c.q where (d or e) and not f group by a",
			[]string{
				"condition: b.x = c.x → true", "comparison: = → <>", "connective: and → or", "condition: b.y between c.p and c.q → true",
				"condition: (d or e) → true", "connective: or → and", "connective: and → or", "condition: not f → true", "negation: not →",
			},
		},
		"a condition of alternatives is one part": {
			"select a from b where c or d",
			[]string{"condition: c or d → true", "connective: or → and"},
		},
		"what a case chooses between belongs to no condition": {
			"select a from b where case when c and d then e else f end and g",
			[]string{"condition: case when c and d then e else f end → true", "connective: and → or", "connective: and → or", "condition: g → true"},
		},
		"columns of a join": {
			"select a from b join c using (x, y)",
			[]string{"condition: x, y → y", "condition: x, y → x"},
		},
		"filters end with their parenthesis": {
			"select count(*) filter (where a and b) over so_far from c where d",
			[]string{"condition: a → true", "connective: and → or", "condition: b → true", "condition: d → true"},
		},
		"whole numbers": {
			"select a + 42, cast(b as decimal(18, 2)), 0.5, '7', x1 from c where exists (select 1 from d)",
			[]string{"sign: + → -", "off by one: 42 → 43", "off by one: 42 → 41", "condition: exists (select 1 from d) → true"},
		},
		"a number that is compared is one more or less in one way": {
			"select a > 1, b >= 2, c < 3, d <= 4, e > 5 * f",
			[]string{
				"comparison: > → >=", "off by one: 1 → 2", "comparison: >= → >", "off by one: 2 → 1", "comparison: < → <=", "off by one: 3 → 2",
				"comparison: <= → <", "off by one: 4 → 5", "comparison: > → >=", "off by one: 5 → 6", "off by one: 5 → 4",
			},
		},
		"extremes": {
			"select min(a), greatest(b, c), lag(d) over (order by e), first from f",
			[]string{"extreme: min → max", "extreme: greatest → least", "extreme: lag → lead"},
		},
		"joins, distinct, coalesce": {
			"select distinct a, count(distinct b), coalesce(c, f(d, e), g), h is distinct from i from j left join k using (l)",
			[]string{
				"distinct: distinct →", "distinct: distinct →", "coalesce: c, f(d, e) → f(d, e), c", "negation: distinct → not distinct",
				"join: left → inner",
			},
		},
		"negations": {
			"select a is not null, b is null, not c from d",
			[]string{"negation: not →", "negation: null → not null", "negation: not →"},
		},
		"signs": {
			"select a - b, -c, (d) + (e), f(-g), case when h then -i end from j",
			[]string{"sign: - → +", "sign: + → -"},
		},
		"directions within windows": {
			"select row_number() over (order by a desc) from b order by c desc",
			[]string{"direction: desc → asc"},
		},
		"comments and texts are let be": {"-- a < b and 7\nselect 'a < b and 7', \"not\" from c -- where x = 1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := changes(test.statement); !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestAMutantIsNamedByItsLine(t *testing.T) {
	statement := "select a\nfrom b\n    where c < d\n    or c < d\n    or c < d\n"
	var ids []string
	var lines []int
	for _, m := range mutation.MutantsOf("marts/m.sql", statement) {
		if m.Operator == mutation.Comparison {
			ids, lines = append(ids, m.ID), append(lines, m.Line)
			if strings.Count(m.Text, "<=") != 1 || len(m.Text) != len(statement)+1 {
				t.Errorf("%s changes more than its place:\n%s", m.ID, m.Text)
			}
		}
	}
	want := []string{"marts/m.sql: where c {< → <=} d", "marts/m.sql: or c {< → <=} d", "marts/m.sql: or c {< → <=} d (2)"}
	if !slices.Equal(ids, want) || !slices.Equal(lines, []int{3, 4, 5}) {
		t.Errorf("got %q on lines %v", ids, lines)
	}
}

const header = "-- grain: one row\n-- key: none\n-- description: A test.\n"

// small is a project of a macro, a model and a mart, with one test.
func small() fstest.MapFS {
	return fstest.MapFS{
		"macros/later.sql": {Data: []byte("create or replace macro later(day, days) as day + days;")},
		"staging/a.sql": {Data: []byte(header + `select claim.folder, claim.submitted_on
from lake.claims as claim
cross join settings.clinic as clinic
where claim.submitted_on < clinic.as_of
    and claim.observed_on <= clinic.as_of`)},
		"marts/m.sql": {Data: []byte(header + "select a.folder, later(min(a.submitted_on), 0) as first_on\nfrom staging.a as a\ngroup by a.folder\norder by a.folder")},
		"tests/t.yaml": {Data: []byte(`as_of: 2026-03-31
tests:
  - name: sent before the day
    given:
      claims: |
        claim_id | folder    | submitted_on
        1        | submitted | 2026-03-30
        2        | submitted | 2026-03-31
    expect:
      marts.m: |
        folder    | first_on
        submitted | 2026-03-30
`)},
	}
}

func TestRun(t *testing.T) {
	tree := small()
	project, err := models.Load(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := unittest.Tests(tree)
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := mutation.Mutants(tree)
	if err != nil {
		t.Fatal(err)
	}
	// No SQL at all: what it reads is nowhere.
	mutants = append(mutants, mutation.Mutant{File: "staging/a.sql", ID: "nonsense", Text: header + "select b.folder from lake.claims as claim"})
	var watched []string
	watch := func(next mutation.Case, alive int) {
		watched = append(watched, fmt.Sprintf("%s: %d", next.Title(), alive))
	}
	outcomes, err := mutation.Trials{Longest: time.Minute, Watch: watch}.Run(t.Context(), project, mutants, mutation.UnitTests(project, tests))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"t/sent before the day: 10"}; !slices.Equal(watched, want) {
		t.Errorf("heard of %q before each test, want %q", watched, want)
	}
	var got []string
	for _, o := range outcomes {
		got = append(got, string(o.Fate)+" "+o.ID)
	}
	want := []string{
		"killed staging/a.sql: where {claim.submitted_on < clinic.as_of → true}", // unless hidden: see min below
		"killed staging/a.sql: where claim.submitted_on {< → <=} clinic.as_of",
		"killed staging/a.sql: {and → or} claim.observed_on <= clinic.as_of",
		"survived staging/a.sql: and {claim.observed_on <= clinic.as_of → true}",
		"killed staging/a.sql: and claim.observed_on {<= → <} clinic.as_of", // observed on D
		"survived marts/m.sql: select a.folder, later({min → max}(a.submitted_on), 0) as first_on",
		"killed marts/m.sql: select a.folder, later(min(a.submitted_on), {0 → 1}) as first_on",
		"killed marts/m.sql: select a.folder, later(min(a.submitted_on), {0 → -1}) as first_on",
		"survived macros/later.sql: create or replace macro later(day, days) as day {+ → -} days;", // nothing is added
		"stillborn nonsense",
	}
	// The earliest day of the group hides later ones.
	for i, hidden := range []int{0, 1, 2} {
		want[i] = strings.Replace(want[hidden], "killed", "survived", 1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, o := range outcomes {
		if isSeen := o.Fate == mutation.Survived && o.Seen > 0; isSeen {
			t.Errorf("%s changes what a test looks at, and no expectation fails", o.ID)
		}
		if o.Fate == mutation.Killed && (o.Kind != mutation.Unit || o.By != "t/sent before the day") {
			t.Errorf("%s: killed by %s %s", o.ID, o.Kind, o.By)
		}
	}
	if o := outcomes[1]; o.Tried != 1 || o.Changed != 1 {
		t.Errorf("%s: in %d of %d tests a table is another one", o.ID, o.Changed, o.Tried)
	}
}

// endless is a case whose models are never made.
type endless struct{}

func (endless) Title() string                                     { return "endless" }
func (endless) Weight(mutation.Mutant, *models.Variation) float64 { return 1 }
func (endless) Open(context.Context) (mutation.Opened, error)     { return endless{}, nil }
func (endless) Close()                                            {}
func (endless) Try(ctx context.Context, _ mutation.Mutant, _ *models.Variation) (mutation.Finding, error) {
	<-ctx.Done()
	return mutation.Finding{}, ctx.Err()
}

func TestWhatHasNoEndIsNoticed(t *testing.T) {
	project, err := models.Load(t.Context(), small())
	if err != nil {
		t.Fatal(err)
	}
	mutants := []mutation.Mutant{{File: "staging/a.sql", ID: "on and on"}}
	trials := mutation.Trials{Longest: time.Millisecond, Watch: func(mutation.Case, int) {}}
	outcomes, err := trials.Run(t.Context(), project, mutants, []mutation.Case{endless{}})
	if err != nil || outcomes[0].Fate != mutation.Killed || outcomes[0].Kind != mutation.Building {
		t.Errorf("%+v, %v", outcomes, err)
	}
	given, cancel := context.WithCancel(t.Context())
	trials = mutation.Trials{Longest: time.Hour, Watch: func(mutation.Case, int) { cancel() }}
	if _, err := trials.Run(given, project, mutants, []mutation.Case{endless{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestATreeWithAMutant(t *testing.T) {
	tree := small()
	m := mutation.Mutant{File: "marts/m.sql", Text: "select 1"}
	for name, want := range map[string]string{"marts/m.sql": "select 1", "staging/a.sql": string(tree["staging/a.sql"].Data)} {
		if got, err := fs.ReadFile(m.Tree(tree), name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if files, err := fs.Glob(m.Tree(tree), "marts/*.sql"); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}
