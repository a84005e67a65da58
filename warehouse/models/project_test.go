package models

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

const header = "-- grain: one row\n-- key: none\n-- description: A test.\n"

// tree makes a project of the given files; each gets a header that is three lines long.
func tree(files map[string]string) fstest.MapFS {
	t := fstest.MapFS{}
	for name, text := range files {
		t[name] = &fstest.MapFile{Data: []byte(header + text)}
	}
	return t
}

func TestLoadFindsWhatModelsRead(t *testing.T) {
	project, err := Load(t.Context(), tree(map[string]string{
		"macros/twice.sql":       "create or replace macro twice(t) as table select * from query_table(t);",
		"staging/a.sql":          "select 1 as x from lake.claims, settings.clinic",
		"staging/b.sql":          "with a as (select 2 as x) select x from a", // its own a
		"staging/c.sql":          "select 3 as x",
		"intermediate/inner.sql": "select * from staging.b as b where exists (select 1 from staging.c as c where c.x in (select x from staging.a))",
		"intermediate/macro.sql": "select 'staging.b' as text, m.x from twice('staging.c') as m",
		"marts/all.sql": "with recursive steps as (select x from intermediate.inner union all select x + 1 from steps where x < 3), " +
			"later as (with staged as (select x from steps) select x from staged) " +
			"select x from later union all select x from intermediate.macro",
	}))
	if err != nil {
		t.Fatal(err)
	}
	reads := map[string]string{}
	var order []string
	for _, m := range project.Models {
		reads[m.Name()] = strings.Join(m.Reads, " ")
		order = append(order, m.Name())
	}
	for name, want := range map[string]string{
		"staging.a":          "lake.claims settings.clinic",
		"staging.b":          "",
		"staging.c":          "",
		"intermediate.inner": "staging.a staging.b staging.c",
		"intermediate.macro": "staging.c", // a text that looks like a table is none
		"marts.all":          "intermediate.inner intermediate.macro",
	} {
		if reads[name] != want {
			t.Errorf("%s reads %q, want %q", name, reads[name], want)
		}
	}
	want := []string{"staging.a", "staging.b", "staging.c", "intermediate.inner", "intermediate.macro", "marts.all"}
	if !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"syntax error": {
			map[string]string{"marts/bad.sql": "select 1 as x,\n    2 as y\nfrm lake.claims\n"},
			[]string{"marts/bad.sql:6", "syntax error"},
		},
		"circle": {
			map[string]string{
				"staging/a.sql": "select x from intermediate.b", "intermediate/b.sql": "select x from marts.c", "marts/c.sql": "select x from staging.a",
			},
			[]string{"circle", "intermediate.b reads marts.c reads staging.a reads intermediate.b"},
		},
		"circle of one": {
			map[string]string{"staging/a.sql": "select x from staging.a"},
			[]string{"circle", "staging.a reads staging.a"},
		},
		"unknown table": {
			map[string]string{"staging/a.sql": "select 1 as x", "marts/b.sql": "select x\nfrom staging.aa"},
			[]string{"marts.b", "marts/b.sql:5", "staging.aa", "staging.a"},
		},
		"wrong schema": {
			map[string]string{"staging/a.sql": "select 1 as x", "marts/b.sql": "select x from marts.a"},
			[]string{"marts.a", "did you mean staging.a?"},
		},
		"unknown schema": {
			map[string]string{"marts/b.sql": "select x from warehouse.rows"},
			[]string{"warehouse.rows", "schemas are staging"},
		},
		"no schema": {
			map[string]string{"staging/a.sql": "select 1 as x", "marts/b.sql": "select x\n\nfrom a"},
			[]string{"marts.b", "marts/b.sql:6", "staging.a"},
		},
		"unknown table in a macro's argument": {
			map[string]string{
				"macros/twice.sql": "create or replace macro twice(t) as table select * from query_table(t);",
				"marts/b.sql":      "select x from twice('staging.gone')",
			},
			[]string{"staging.gone"},
		},
		"two statements": {
			map[string]string{"marts/b.sql": "select 1 as x; select 2 as x"},
			[]string{"marts/b.sql", "2 statements"},
		},
		"no select": {
			map[string]string{"marts/b.sql": "create table x as select 1"},
			[]string{"marts/b.sql", "one select statement"},
		},
		"empty": {
			map[string]string{"marts/b.sql": "-- nothing\n"},
			[]string{"marts/b.sql", "one select statement"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(t.Context(), tree(test.files))
			checkError(t, err, test.want)
		})
	}
	t.Run("no header", func(t *testing.T) {
		_, err := Load(t.Context(), fstest.MapFS{"marts/b.sql": {Data: []byte("-- grain: one row\n-- key: x\nselect 1 as x")}})
		checkError(t, err, []string{"marts/b.sql", "-- description:"})
	})
}

func checkError(t *testing.T, err error, parts []string) {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestBuildOfABadModelNamesItAndTheLine(t *testing.T) {
	in := Inputs{
		AsOf:     civil.Date{Year: 2026, Month: 3, Day: 31},
		Settings: settings.Clinic{TimeZone: "UTC", Currency: "CAD"},
	}
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"unknown column":  {"select\n    claim.claim_id,\n    claim.nothing\nfrom lake.claims as claim", []string{"marts.b", "marts/b.sql:6", "nothing"}},
		"fails on a row":  {"select cast(clinic.time_zone as bigint) as x\nfrom settings.clinic as clinic", []string{"marts.b", "marts/b.sql"}},
		"a sum's type":    {"select sum(1) as total", []string{"marts.b", "total", "HUGEINT", "BIGINT"}},
		"a decimal":       {"select 1.5 as share", []string{"share", "DECIMAL"}},
		"a time":          {"select timestamp '2026-01-01' as at", []string{"at", "TIMESTAMP"}},
		"no such macro":   {"select x from thrice('lake.claims')", []string{"marts/b.sql:4", "thrice"}},
		"files are no go": {"select * from read_csv('/etc/passwd')", []string{"marts/b.sql"}},
	} {
		t.Run(name, func(t *testing.T) {
			project, err := Load(t.Context(), tree(map[string]string{"marts/b.sql": test.text}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = project.Build(t.Context(), in)
			checkError(t, err, test.want)
		})
	}
	for name, text := range map[string]string{
		"doubled": "select 1::bigint as x union all select 1::bigint as x",
		"missing": "select null::bigint as x",
	} {
		t.Run("a key that is "+name, func(t *testing.T) {
			project, err := Load(t.Context(), fstest.MapFS{"marts/b.sql": {Data: []byte(strings.Replace(header, "none", "x", 1) + text)}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = project.Build(t.Context(), in)
			checkError(t, err, []string{"marts.b", "key (x)", "1 rows"})
		})
	}
	t.Run("a bad macro", func(t *testing.T) {
		project, err := Load(t.Context(), fstest.MapFS{
			"macros/bad.sql": {Data: []byte("create macro bad(t) as table\nselect\nfrom from query_table(t)")},
			"marts/b.sql":    {Data: []byte(header + "select 1::bigint as x")},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = project.Build(t.Context(), in)
		checkError(t, err, []string{"macro bad", "macros/bad.sql:3"})
	})
}

// TestModelsKeepTheirForm holds the files to what package sql promises.
func TestModelsKeepTheirForm(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	layers := map[Layer]int{Staging: 1, Intermediate: 2, Fitted: 2, Marts: 3}
	read := map[string]bool{}
	comment, literal := regexp.MustCompile(`--[^\n]*`), regexp.MustCompile(`'[^']*'`)
	for _, m := range project.Models {
		code := literal.ReplaceAllString(comment.ReplaceAllString(m.Text, ""), "''")
		if code != strings.ToLower(code) {
			t.Errorf("%s is not all lower case", m.File)
		}
		if m.Layer == Marts && regexp.MustCompile(`(^|[\s.])\*(\s|,|$)`).MatchString(code) && strings.Contains(code, "select *") {
			t.Errorf("%s selects *", m.File)
		}
		body := code[strings.LastIndex(code, "\nselect"):]
		if m.Layer == Marts && !strings.Contains(body, "\norder by ") {
			t.Errorf("%s does not end in an order by", m.File)
		}
		for i, line := range strings.Split(m.Text, "\n") {
			if len(line) > 120 {
				t.Errorf("%s:%d is longer than 120", m.File, i+1)
			}
		}
		for _, name := range m.Reads {
			read[name] = true
			schema, _, _ := strings.Cut(name, ".")
			if (schema == "lake") && m.Layer != Staging {
				t.Errorf("%s reads %s: only staging reads the lake", m.File, name)
			}
			if layers[Layer(schema)] > layers[m.Layer] {
				t.Errorf("%s reads %s, which is a later layer", m.File, name)
			}
		}
	}
	for _, m := range project.Models {
		if m.Layer != Marts && !read[m.Name()] {
			t.Errorf("%s is read by nobody", m.File)
		}
	}
}

func TestMacrosAreNamedAfterTheirFile(t *testing.T) {
	files, err := fs.Glob(sql.Files(), "macros/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no macros: %v", err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(sql.Files(), file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(path.Base(file), ".sql")
		if !strings.Contains(string(text), "create or replace macro "+name+"(") {
			t.Errorf("%s does not define %s", file, name)
		}
	}
}

// TestKeysOfAllModelsHold checks the declared keys of staging and intermediate models too, which a build does not.
func TestKeysOfAllModelsHold(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	in := newRandomClinic(t, 6, 150).inputs(t, 1, nil)
	in.Closed = []ClosedFigure{
		{FigureName: FigureName{Figure: "charged"}, Month: "2025-11", Unit: "cents", AsOf: in.AsOf, ClosedOn: in.AsOf},
		{FigureName: FigureName{Figure: "charged"}, Month: "2025-12", Unit: "cents", AsOf: in.AsOf, ClosedOn: in.AsOf},
	}
	in.Restatements = []Restatement{
		{FigureName: FigureName{Figure: "charged"}, Month: "2025-12", Unit: "cents", FirstSeen: in.AsOf, Since: 3},
		{FigureName: FigureName{Figure: "charged"}, Month: "2025-12", Unit: "cents", FirstSeen: in.AsOf, Since: 5},
	}
	s, err := open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.prepare(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t.Context(), project, project.Models, true); err != nil {
		t.Fatal(err)
	}
	for _, m := range project.Models {
		if _, err := s.test(t.Context(), m, func(string) bool { return true }); err != nil {
			t.Errorf("%s: %v", m.Name(), err)
		}
		var rows int64
		if err := s.conn.QueryRowContext(t.Context(), "select count(*) from "+m.Name()).Scan(&rows); err != nil || rows == 0 {
			t.Errorf("%s has %d rows (%v): the random clinic proves nothing of it", m.Name(), rows, err)
		}
	}
}

// The order in which models are made holds fewer tables at a time than the order in which they are listed: what nobody reads comes as soon
// as what it is made from is there.
func TestFewTablesAreHeldAtATime(t *testing.T) {
	project, err := own()
	if err != nil {
		t.Fatal(err)
	}
	wanted := project.Models
	// held is the sum, over the models in an order, of the tables that are there once each is made; an order in which one comes before what
	// it reads is none.
	held := func(order []int) (sum int) {
		leases, made, tables := newLeases(wanted), map[string]bool{}, 0
		for _, i := range order {
			m := wanted[i]
			for _, name := range m.Reads {
				if _, isModel := project.Model(name); isModel && !made[name] {
					t.Fatalf("%s comes before %s, which it reads", m.Name(), name)
				}
			}
			made[m.Name()] = true
			if !leases.views[m.Name()] && m.Layer != Marts { // marts stay
				tables++
			}
			tables -= len(leases.returned(m))
			sum += tables
		}
		if len(made) != len(wanted) {
			t.Fatalf("%d of %d models are made", len(made), len(wanted))
		}
		return sum
	}
	listed := make([]int, len(wanted))
	for i := range listed {
		listed[i] = i
	}
	if turns, before := held(turnsOf(wanted)), held(listed); turns > before*4/5 {
		t.Errorf("tables held, added up over all models: %d, in the order of the list %d", turns, before)
	}
}
