package models

import (
	"strings"
	"testing"
)

// lineageOf gives values and rows of the columns of a small tree's marts.
func lineageOf(t *testing.T, files map[string]string) map[string]ColumnNode {
	t.Helper()
	project, err := Load(t.Context(), tree(files))
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := project.ColumnLineage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]ColumnNode{}
	for _, n := range nodes {
		out[n.Name] = n
	}
	return out
}

func TestColumnLineageOfOneStatement(t *testing.T) {
	for name, test := range map[string]struct{ sql, values, rows string }{
		"renamed":                        {"select c.folder as x from lake.claims as c", "lake.claims.folder", "lake.claims.*"},
		"without alias":                  {"select claims.folder as x from lake.claims", "lake.claims.folder", "lake.claims.*"},
		"constant":                       {"select 1 as x", "", ""},
		"expression":                     {"select case when c.claimed_cents > 0 then c.folder else upper(c.payer_id) end as x from lake.claims as c", "lake.claims.claimed_cents lake.claims.folder lake.claims.payer_id", "lake.claims.*"},
		"filter":                         {"select c.folder as x from lake.claims as c where c.payer_id = 'i'", "lake.claims.folder", "lake.claims.* lake.claims.payer_id"},
		"join":                           {"select p.status as x from lake.claims as c join lake.policies as p on p.patient = c.patient", "lake.policies.status", "lake.claims.* lake.claims.patient lake.policies.* lake.policies.patient"},
		"using":                          {"select p.status as x from lake.claims as c join lake.policies as p using (patient)", "lake.policies.status", "lake.claims.* lake.claims.patient lake.policies.* lake.policies.patient"},
		"count":                          {"select count(*) as x from lake.claims as c group by c.folder", "", "lake.claims.* lake.claims.folder"},
		"filtered count":                 {"select count(*) filter (where c.payer_id = 'i') as x from lake.claims as c", "lake.claims.payer_id", "lake.claims.*"},
		"group by all":                   {"select sum(c.claimed_cents) as x, c.folder from lake.claims as c group by all", "lake.claims.claimed_cents", "lake.claims.* lake.claims.folder"},
		"group by place":                 {"select max(c.claimed_cents) as x, c.folder from lake.claims as c group by 2", "lake.claims.claimed_cents", "lake.claims.* lake.claims.folder"},
		"having":                         {"select max(c.folder) as x from lake.claims as c having max(c.claim_id) > 'a'", "lake.claims.folder", "lake.claims.* lake.claims.claim_id"},
		"window":                         {"select row_number() over (partition by c.patient order by c.claim_id) as x from lake.claims as c", "lake.claims.claim_id lake.claims.patient", "lake.claims.*"},
		"qualify":                        {"select c.folder as x from lake.claims as c qualify row_number() over (order by c.claim_id) = 1", "lake.claims.folder", "lake.claims.* lake.claims.claim_id"},
		"distinct":                       {"select distinct c.folder as x, c.payer_id from lake.claims as c", "lake.claims.folder", "lake.claims.* lake.claims.folder lake.claims.payer_id"},
		"order":                          {"select c.folder as x from lake.claims as c order by c.claim_id", "lake.claims.folder", "lake.claims.*"},
		"limit":                          {"select c.folder as x from lake.claims as c order by c.claim_id limit 1", "lake.claims.folder", "lake.claims.* lake.claims.claim_id"},
		"union":                          {"select c.folder as x from lake.claims as c union all select p.status from lake.policies as p", "lake.claims.folder lake.policies.status", "lake.claims.* lake.policies.*"},
		"union by name":                  {"select c.folder as y, c.claim_id as x from lake.claims as c union all by name select p.status as x from lake.policies as p", "lake.claims.claim_id lake.policies.status", "lake.claims.* lake.policies.*"},
		"union distinct":                 {"select c.folder as x from lake.claims as c union select p.status from lake.policies as p", "lake.claims.folder lake.policies.status", "lake.claims.* lake.claims.folder lake.policies.* lake.policies.status"},
		"named query":                    {"with a as (select c.folder as y, c.patient from lake.claims as c), b as (select * from a) select b.y as x from b", "lake.claims.folder", "lake.claims.*"},
		"a name of its own for a column": {"with a(z) as (select c.folder from lake.claims as c) select a.z as x from a", "lake.claims.folder", "lake.claims.*"},
		"recursive":                      {"with recursive s as (select c.claimed_cents as n from lake.claims as c union all select s.n + p.treatments_used from s join lake.policies as p on p.max_treatments > s.n) select s.n as x from s", "lake.claims.claimed_cents lake.policies.treatments_used", "lake.claims.* lake.claims.claimed_cents lake.policies.* lake.policies.max_treatments lake.policies.treatments_used"},
		"in a list":                      {"select c.folder as x from lake.claims as c where c.payer_id in (select i.payer_id from lake.insurers as i where i.name = 'Sun')", "lake.claims.folder", "lake.claims.* lake.claims.payer_id lake.insurers.* lake.insurers.name lake.insurers.payer_id"},
		"correlated":                     {"select (select max(i.name) from lake.insurers as i where i.payer_id = c.payer_id) as x from lake.claims as c", "lake.claims.payer_id lake.insurers.* lake.insurers.name lake.insurers.payer_id", "lake.claims.*"},
		"exists":                         {"select c.folder as x from lake.claims as c where exists (select i.name from lake.insurers as i where i.payer_id = c.payer_id)", "lake.claims.folder", "lake.claims.* lake.claims.payer_id lake.insurers.* lake.insurers.payer_id"},
		"struct":                         {"with s as (select {'a': c.folder, 'b': c.payer_id} as s from lake.claims as c) select s.s.a as x from s", "lake.claims.folder", "lake.claims.*"},
		"unnest":                         {"with s as (select unnest([{'a': c.folder, 'b': c.payer_id}, {'a': c.claim_id, 'b': ''}]) as s from lake.claims as c) select s.s.a as x from s", "lake.claims.claim_id lake.claims.folder", "lake.claims.* lake.claims.claim_id lake.claims.folder lake.claims.payer_id"},
		"lateral values":                 {"select b.day as x from lake.claims as c cross join lateral (values ('s', c.service_date), ('o', c.observed_on)) as b (name, day)", "lake.claims.observed_on lake.claims.service_date", "lake.claims.*"},
		"alias again":                    {"select c.folder as y, upper(y) as x from lake.claims as c", "lake.claims.folder", "lake.claims.*"},
		"star excluding":                 {"with a as (select c.* exclude (folder), 'f' as folder from lake.claims as c) select a.folder as x from a", "", "lake.claims.*"},
		"macro":                          {"select m.x from folders('lake.claims', (select max(clinic.as_of) from settings.clinic as clinic)) as m", "lake.claims.folder", "lake.claims.* lake.claims.observed_on settings.clinic.* settings.clinic.as_of"},
		"scalar macro":                   {"select louder(c.folder) as x from lake.claims as c", "lake.claims.folder", "lake.claims.*"},
	} {
		t.Run(name, func(t *testing.T) {
			n := lineageOf(t, map[string]string{
				"macros/louder.sql":  "create or replace macro louder(word) as upper(word);",
				"macros/folders.sql": "create or replace macro folders(t, as_of) as table with c as (select r.folder, r.observed_on from query_table(t) as r) select c.folder as x from c where c.observed_on <= as_of;",
				"marts/m.sql":        test.sql,
			})["marts.m.x"]
			if got := strings.Join(n.Values, " "); got != test.values {
				t.Errorf("values %s, want %s", got, test.values)
			}
			if got := strings.Join(n.Rows, " "); got != test.rows {
				t.Errorf("rows %s, want %s", got, test.rows)
			}
		})
	}
}

func TestColumnLineageGoesThroughModels(t *testing.T) {
	nodes := lineageOf(t, map[string]string{
		"staging/s.sql":      "select c.claim_id, {'f': c.folder, 'p': c.payer_id} as series from lake.claims as c where c.patient <> ''",
		"intermediate/i.sql": "select s.series, count(*) as n from staging.s as s group by s.series",
		"marts/m.sql":        "select i.series.f as folder, i.n from intermediate.i as i",
	})
	for name, want := range map[string][2]string{
		"marts.m.folder": {"lake.claims.folder", "lake.claims.* lake.claims.folder lake.claims.patient lake.claims.payer_id"},
		"marts.m.n":      {"", "lake.claims.* lake.claims.folder lake.claims.patient lake.claims.payer_id"},
	} {
		n := nodes[name]
		if got := [2]string{strings.Join(n.Values, " "), strings.Join(n.Rows, " ")}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Every column of a mart comes from somewhere: columns of inputs are in it, or decide its rows.
func TestEveryColumnOfAMartComesFromSomewhere(t *testing.T) {
	nodes, err := ColumnLineage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		named := 0
		for _, name := range append(n.Values, n.Rows...) {
			table, column := splitSource(name)
			schema, _, _ := strings.Cut(table, ".")
			if schema != "lake" && schema != "settings" && schema != closedSchema {
				t.Errorf("%s comes from %s, which is no input", n.Name, name)
			}
			if column != "*" {
				named++
			}
		}
		if strings.HasPrefix(n.Name, "marts.") && named == 0 && !strings.HasPrefix(strings.Join(n.Rows, " "), closedSchema) {
			t.Errorf("%s comes from no column: %v", n.Name, n.Rows)
		}
	}
}
