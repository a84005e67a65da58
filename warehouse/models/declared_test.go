package models

import (
	"strings"
	"testing"
	"testing/fstest"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

func keyed(key, text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(strings.Replace(header, "none", key, 1) + text)}
}

// declaredTree is two marts, one beside the other, with what is declared of the first.
func declaredTree(declared string) fstest.MapFS {
	return fstest.MapFS{
		"staging/s.sql":  keyed("none", "select claim.claim_id from lake.claims as claim"),
		"marts/m.sql":    keyed("x", "select * from (values (1::bigint, 'a', 10::bigint), (2, 'b', 20), (3, null, -5)) as t (x, y, z)"),
		"marts/m.yaml":   &fstest.MapFile{Data: []byte(declared)},
		"marts/n.sql":    keyed("x", "select * from (values (1::bigint), (2)) as t (x)"),
		"macros/one.sql": &fstest.MapFile{Data: []byte("create or replace macro one() as 1;")},
	}
}

func TestDeclaredRules(t *testing.T) {
	for name, test := range map[string]struct {
		declared string
		// broken is what the refusal or the warning says; none where the rule holds.
		broken []string
		warns  bool
	}{
		"nothing":          {declared: "columns: {}"},
		"not null holds":   {declared: "columns: {x: {not_null: true}}"},
		"not null":         {declared: "columns: {y: {not_null: true}}", broken: []string{"marts.m: y not_null", "sql/marts/m.yaml", "1 rows", "x=3", "falloff lineage --column marts.m.y"}},
		"not null, warns":  {declared: "columns: {y: {not_null: true, severity: warn}}", broken: []string{"x=3"}, warns: true},
		"one of holds":     {declared: "columns: {y: {one_of: [a, b]}}"}, // null is not judged
		"one of":           {declared: "columns: {y: {one_of: [a, c], remedy: Ask Ann.}}", broken: []string{"y one_of", "x=2", "one of a, c", "Ask Ann."}},
		"one of numbers":   {declared: "columns: {z: {one_of: [10, 20, -5]}}"},
		"refers to":        {declared: "columns: {x: {refers_to: marts.n.x}}", broken: []string{"x refers_to marts.n.x", "x=3"}},
		"refers to itself": {declared: "columns: {x: {refers_to: marts.m.x}}"},
		"row rule holds":   {declared: "rows: [{name: z_is_small, holds: z < 21}]"},
		"row rule":         {declared: "rows: [{name: z_is_there, holds: z > 0, why: It is money., remedy: Look.}]", broken: []string{"z_is_there", "x=3", "It is money.", "Look."}},
		"null is not true": {declared: "rows: [{name: y_is_a, holds: y <> 'c'}]", broken: []string{"y_is_a", "x=3"}},
		"several rows":     {declared: "rows: [{name: none, holds: x > 9}]", broken: []string{"3 rows: x=1; x=2; x=3"}},
		"rule with a comment": {declared: "rows: [{name: small, holds: 'x < 9 -- or so'}]",
			broken: nil},
		"the first that blocks": {declared: "columns: {y: {not_null: true, severity: warn}}\nrows: [{name: bad, holds: x < 3}]", broken: []string{"marts.m: bad"}},
	} {
		t.Run(name, func(t *testing.T) {
			project, err := Load(t.Context(), declaredTree(test.declared))
			if err != nil {
				t.Fatal(err)
			}
			result, err := project.Build(t.Context(), Inputs{AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}, Settings: settings.Clinic{TimeZone: "UTC", Currency: "CAD"}, Threads: 1})
			said := err
			switch {
			case test.warns:
				if err != nil || len(result.Warnings) != 1 {
					t.Fatalf("got %v, want one warning", err)
				}
				said = result.Warnings[0]
			case test.broken == nil && err != nil:
				t.Fatal(err)
			case test.broken == nil:
				return
			}
			if broken, isBroken := IsBroken(said); !isBroken || (broken.Severity == Warn) != test.warns {
				t.Errorf("%v is no broken rule of the right severity", said)
			}
			checkError(t, said, test.broken)
		})
	}
}

func TestDeclarationsThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		declared string
		want     []string
	}{
		"unknown key":            {"columns:\n  x: {notnull: true}", []string{"marts/m.yaml", "notnull"}},
		"no such column":         {"columns: {w: {not_null: true}}", []string{"sql/marts/m.yaml", "column w", "there are x, y, z"}},
		"severity":               {"columns: {x: {not_null: true, severity: fatal}}", []string{"marts/m.yaml", "column x", "fatal", "block or warn"}},
		"refers to no table":     {"columns: {x: {refers_to: marts.nn.x}}", []string{"marts/m.yaml", "column x", "marts.nn", "marts.n"}},
		"refers to no column":    {"columns: {x: {refers_to: marts.n.y}}", []string{"x refers_to marts.n.y", "sql/marts/m.yaml", "y"}},
		"refers to what is gone": {"columns: {x: {refers_to: staging.s.claim_id}}", []string{"staging.s", "marts and settings"}},
		"refers to a word":       {"columns: {x: {refers_to: n}}", []string{"schema.table.column"}},
		"rule without a name":    {"rows:\n  - {name: a, holds: x > 0}\n  - {holds: x > 0}", []string{"marts/m.yaml:3", "rule 2"}},
		"two of a name":          {"rows:\n  - {name: a, holds: x > 0}\n  - {name: a, holds: x > 0}", []string{"marts/m.yaml:3", "name of its own"}},
		"syntax":                 {"rows: [{name: a, holds: 'x >'}]", []string{"marts/m.yaml", "rule a", "x >", "syntax"}},
		"two statements":         {"rows: [{name: a, holds: 'x > 1); drop table marts.n; select (1'}]", []string{"marts/m.yaml", "rule a"}},
		"unknown in a rule":      {"rows: [{name: a, holds: x > 0}, {name: b, holds: w > 0}]", []string{"rule b", "sql/marts/m.yaml", "w"}},
		"freshness of a model":   {"freshness: [{of: marts.m.x, within_days: 1}]", []string{"marts/m.yaml:1", "lake.claims.observed_on"}},
		"freshness of nothing":   {"freshness: [{of: lake.claim.observed_on, within_days: 1}]", []string{"lake.claim", "lake.claims"}},
		"freshness in no time":   {"freshness: [{of: lake.claims.observed_on}]", []string{"within_days"}},
	} {
		t.Run(name, func(t *testing.T) {
			project, err := Load(t.Context(), declaredTree(test.declared))
			if err == nil {
				_, err = project.Build(t.Context(), Inputs{AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}, Settings: settings.Clinic{TimeZone: "UTC", Currency: "CAD"}, Threads: 1})
			}
			checkError(t, err, test.want)
		})
	}
	files := declaredTree("columns: {}")
	files["marts/gone.yaml"] = &fstest.MapFile{Data: []byte("columns: {}")}
	_, err := Load(t.Context(), files)
	checkError(t, err, []string{"marts/gone.yaml", "no model beside it", "gone.sql"})
}

// A rule of a model that is no mart is judged while what it refers to is there, and its key is too.
func TestDeclaredOfWhatIsNoMart(t *testing.T) {
	files := func(declared string) fstest.MapFS {
		return fstest.MapFS{
			"staging/a.sql":       keyed("x", "select * from (values (1), (2)) as t (x)"),
			"intermediate/b.sql":  keyed("x", "select * from (values (1), (3), (3)) as t (x) where x not in (select x from staging.a as a where x > 5)"),
			"intermediate/b.yaml": &fstest.MapFile{Data: []byte(declared)},
			"marts/m.sql":         keyed("none", "select x::bigint as x from intermediate.b"),
		}
	}
	for declared, want := range map[string]string{
		"columns: {}": "intermediate.b: key (x) (sql/intermediate/b.sql) finds 1 rows: x=3 times=2",
		"columns: {x: {refers_to: staging.a.x, severity: warn}}": "intermediate.b: key (x)",
		"columns: {x: {refers_to: settings.fees.item}}":          "b reads itself",
	} {
		project, err := Load(t.Context(), files(declared))
		if err == nil {
			_, err = project.Build(t.Context(), Inputs{AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}, Settings: settings.Clinic{TimeZone: "UTC", Currency: "CAD"}, Threads: 1})
		}
		checkError(t, err, []string{want})
	}
}

func TestFreshnessIsHeldAgainstTheDay(t *testing.T) {
	files := declaredTree("freshness: [{of: lake.claims.observed_on, within_days: 10, severity: warn}]")
	files["staging/s.yaml"], files["marts/m.sql"] = files["marts/m.yaml"], keyed("none", "select s.claim_id from staging.s as s")
	delete(files, "marts/m.yaml")
	project, err := Load(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	in := Inputs{AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}, Settings: settings.Clinic{TimeZone: "UTC", Currency: "CAD"}, Threads: 1}
	for observed, isStale := range map[string]bool{"": false, "2026-04-20": false, "2026-03-21": false, "2026-03-20": true} {
		in.Tables = nil
		if observed != "" {
			in.Tables = givenFiles(t, in, map[string]string{contract.Claims: "claim_id | observed_on\na | 2026-01-01\nb | " + observed})
		}
		result, err := project.Build(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if (len(result.Warnings) == 1) != isStale {
			t.Errorf("newest %q: %v", observed, result.Warnings)
		}
		if isStale {
			checkError(t, result.Warnings[0], []string{"freshness of lake.claims.observed_on", "newest=2026-03-20 as_of=2026-03-31", "10 days", "--as-of"})
		}
	}
}

// Every mart says what must hold of it, and every column that is never null by the rules is not said to be.
func TestEveryMartDeclaresItsRules(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range project.Models {
		if d, is := m.Declared(); m.Layer == Marts && (!is || len(d.Rows) == 0 || len(m.Key) == 0) {
			t.Errorf("%s has no %s with rules, or no key", m.File, strings.Replace(m.File, ".sql", ".yaml", 1))
		}
	}
}
