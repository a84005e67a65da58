package unittest_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/unittest"
)

// The project's own models say what sql/tests expects of them.
func TestModelsAsTheirYAMLSays(t *testing.T) {
	project, err := models.Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	results, err := unittest.Run(t.Context(), unittest.Options{Project: project, Tree: sql.Tests()})
	if err != nil || len(results) == 0 {
		t.Fatalf("%d tests: %v", len(results), err)
	}
	for _, r := range results {
		t.Run(strings.TrimPrefix(r.File, "tests/")+"/"+r.Name, func(t *testing.T) {
			if !r.Passed {
				t.Error(printed(t, r))
			}
		})
	}
}

func printed(t *testing.T, r unittest.Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const header = "-- grain: one row\n-- key: none\n-- description: A test.\n"

// small is a project of two models, and a file of tests of them.
func small(t *testing.T, tests string) (*models.Project, fstest.MapFS) {
	t.Helper()
	tree := fstest.MapFS{
		"staging/a.sql": &fstest.MapFile{Data: []byte(header + "select claim.claim_id, claim.folder, claim.observed_on from lake.claims as claim cross join settings.clinic as clinic where claim.observed_on <= clinic.as_of")},
		"marts/m.sql": &fstest.MapFile{Data: []byte(header + `with named as (
    select a.folder, count(*) as claims from staging.a as a group by a.folder
),

shares as (
    select named.folder, named.claims, named.claims / sum(named.claims) over () as share from named
)

select shares.folder, shares.claims, shares.share, shares.claims * 150 as cost_cents from shares order by shares.folder`)},
		"tests/t.yaml": &fstest.MapFile{Data: []byte(tests)},
	}
	project, err := models.Load(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	return project, tree
}

const claims = `as_of: 2026-03-31
tests:
  - name: counted
    why: Somebody looks at it.
    given:
      claims: |
        claim_id | folder | observed_on
        a        | draft  | 2026-03-30
        b        | draft  | 2026-03-31
        c        | paid   |
        d        | paid   | 2026-04-01     # after D
    expect:
      # What the mart says.
      marts.m: |
        # By folder.
        folder | claims | share        | cost   # of all
        draft  | 2      | 0.6666666667 | 3.00   # two
        paid   | 1      | 0.3333333333 | 1.50
      marts.m#named: |
        folder | claims
        draft  | 2
        paid   | 1
      staging.a: |
        claim_id
        a
        b
        c
  - name: nothing
    expect:
      marts.m: none
`

func run(t *testing.T, tests string, selected ...string) []unittest.Result {
	t.Helper()
	project, tree := small(t, tests)
	results, err := unittest.Run(t.Context(), unittest.Options{Project: project, Tree: tree, Select: selected})
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestPasses(t *testing.T) {
	results := run(t, claims)
	if len(results) != 2 {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Error(printed(t, r))
		}
	}
	if results := run(t, claims, "staging.a"); len(results) != 1 || results[0].Name != "counted" {
		t.Errorf("staging.a selects %v", results)
	}
}

func TestFailureIsASmallTable(t *testing.T) {
	broken := strings.NewReplacer("draft  | 2      | 0.6666666667 | 3.00", "draft  | 3      | 0.6666666667 | 3.00", "      marts.m: none", "      marts.m: |\n        folder\n        paid").Replace(claims)
	results := run(t, broken)
	want := `FAILED t/counted
  marts.m
      folder | claims | share              | cost
      paid   | 1      | 0.3333333333       | 1.50
    - draft  | 3      | 0.6666666667       | 3.00
    + draft  | 2      | 0.6666666666666666 | 3.00
  why: Somebody looks at it.
`
	if got := printed(t, results[0]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := printed(t, results[1]), "FAILED t/nothing\n  marts.m\n      folder\n    - paid\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProblemsNameWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ from, to, want string }{
		"no such model":       {"marts.m: none", "marts.mm: none", "there is no model marts.mm"},
		"no such named query": {"marts.m#named", "marts.m#nothing", "no named query nothing: there are named, shares"},
		"no such column":      {"folder | claims\n", "folder | claim\n", "there is no column claim: there are folder, claims"},
		"no such given":       {"claims: |\n", "charts: |\n", "given charts"},
		"no given column":     {"folder | observed_on", "folder | seen_on", "column seen_on is none that a test can set"},
		"no day":              {"2026-03-30", "2026-02-30", "given claims: row 1: observed_on: \"2026-02-30\" is not a day"},
		"nothing expected":    {"    expect:\n      marts.m: none\n", "", "expects nothing"},
		"empty table":         {"marts.m: none", "marts.m: \"\"", "write `none`"},
	} {
		t.Run(name, func(t *testing.T) {
			said := ""
			for _, r := range run(t, strings.Replace(claims, test.from, test.to, 1)) {
				said += r.Problem
			}
			if !strings.Contains(said, test.want) {
				t.Errorf("problems %q do not say %q", said, test.want)
			}
		})
	}
	project, tree := small(t, strings.Replace(claims, "expect:", "expected:", 1))
	if _, err := unittest.Run(t.Context(), unittest.Options{Project: project, Tree: tree}); err == nil || !strings.Contains(err.Error(), "tests/t.yaml") || !strings.Contains(err.Error(), "expected") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestUpdateRewritesWhatIsExpectedAndNothingElse(t *testing.T) {
	broken := strings.NewReplacer(
		"paid   | 1      | 0.3333333333 | 1.50\n", "paid   | 1      | 0.3333333333 | 1.75\n        gone   | 7      | 0.1          | 0.10   # was there\n",
		"      marts.m: none", "      marts.m: |\n        folder\n        paid",
		"        a\n        b\n", "        b\n",
	).Replace(claims)
	updated, err := unittest.Update([]byte(broken), run(t, broken))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		`        folder | claims | share        | cost   # of all
        draft  | 2      | 0.6666666667 | 3.00   # two
        paid   | 1      | 0.3333333333 | 1.50
`, `        folder | claims | share              | cost  # of all
        draft  | 2      | 0.6666666667       | 3.00  # two
        paid   | 1      | 0.3333333333333333 | 1.50
`,
		"        a\n        b\n        c\n", "        b\n        c\n        a\n",
	).Replace(claims)
	if string(updated) != want {
		t.Errorf("got\n%s\nwant\n%s", updated, want)
	}
	again := run(t, string(updated))
	for _, r := range again {
		if !r.Passed {
			t.Error(printed(t, r))
		}
	}
	if same, err := unittest.Update(updated, again); err != nil || string(same) != string(updated) {
		t.Errorf("a second update changes something: %v\n%s", err, same)
	}
	// And where a row comes into a table that had none.
	none := strings.Replace(claims, "      marts.m#named: |\n        folder | claims\n        draft  | 2\n        paid   | 1\n", "      marts.m#named: none\n", 1)
	updated, err = unittest.Update([]byte(none), run(t, none))
	if err != nil || string(updated) != claims {
		t.Errorf("%v\n%s", err, updated)
	}
}
