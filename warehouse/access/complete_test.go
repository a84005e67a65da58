package access_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

// Every mart there is says who may see it, and is narrowed by a column that it has.
func TestEveryMartIsMapped(t *testing.T) {
	tables, err := dictionary.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	for _, table := range tables {
		if table.Schema == "marts" {
			for _, c := range table.Columns {
				columns[table.Name] = append(columns[table.Name], c.Name)
			}
		}
	}
	var mapped []string
	for _, m := range access.Marts() {
		mapped = append(mapped, m.Name)
		has, exists := columns[m.Name]
		if !exists {
			t.Errorf("%s is mapped, and no mart", m.Name)
			continue
		}
		for _, p := range slices.Concat(m.Aggregates, m.Rows) {
			if !p.Known() {
				t.Errorf("%s asks for %s, which is not in the catalogue", m.Name, p)
			}
		}
		if len(m.Aggregates) == 0 || len(m.Rows) == 0 {
			t.Errorf("%s is open to everyone", m.Name)
		}
		if m.By != access.Whole && !slices.Contains(has, string(m.By)) {
			t.Errorf("%s is narrowed by %s, which it has not", m.Name, m.By)
		}
		// Rows about a patient take a permission about patients, or about the ledger.
		if slices.Contains(has, "patient") && !slices.Contains(m.Rows, access.PatientsView) && !slices.Contains(m.Rows, access.LeaksView) {
			t.Errorf("%s has rows about patients, and shows them for %v", m.Name, m.Rows)
		}
		// Whoever may see no money sees none in a mart either.
		money := slices.ContainsFunc(has, func(c string) bool { return strings.HasSuffix(c, "_cents") })
		if money && !slices.Contains(m.Rows, access.LeaksView) {
			t.Errorf("%s has amounts, and shows them for %v", m.Name, m.Rows)
		}
		if money && !slices.Contains(m.Aggregates, access.MoneyView) && !slices.Contains(m.Aggregates, access.PayersView) {
			t.Errorf("%s has amounts, and shows their sums for %v", m.Name, m.Aggregates)
		}
		if money && m.By != access.Whole {
			t.Errorf("%s has amounts, and is open to a practitioner", m.Name)
		}
	}
	for name := range columns {
		if !slices.Contains(mapped, name) {
			t.Errorf("the mart %s is new: say in warehouse/access/tables.go who may see it", name)
		}
	}
	if !slices.IsSorted(mapped) {
		t.Errorf("marts are not in the order of their names")
	}
}

// Every metric asks for the view of the group that its entry names, and is narrowed by a dimension that it has.
func TestEveryMetricIsMapped(t *testing.T) {
	known, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	mapped := map[string]access.Metric{}
	var names []string
	for _, m := range access.Metrics() {
		mapped[m.Name] = m
		names = append(names, m.Name)
	}
	if !slices.IsSorted(names) || len(names) != len(known) {
		t.Errorf("%d of %d metrics are mapped, in order: %v", len(names), len(known), slices.IsSorted(names))
	}
	for _, m := range known {
		got, ok := mapped[m.Name]
		if !ok {
			t.Errorf("the metric %s is new: say in warehouse/access/tables.go who may see it", m.Name)
			continue
		}
		if string(got.Permission) != m.Permission+".view" || !got.Permission.Known() {
			t.Errorf("%s takes %s, and its entry says %s", m.Name, got.Permission, m.Permission)
		}
		if got.By != access.Whole && !slices.Contains(m.Dimensions, string(got.By)) {
			t.Errorf("%s is narrowed by %s, and has the dimensions %v", m.Name, got.By, m.Dimensions)
		}
		if got.By != access.Whole && m.Unit == "cents" {
			t.Errorf("%s is money, and open to a practitioner", m.Name)
		}
	}
}

// Every named query is mapped to the marts that it reads.
func TestEveryQueryIsMapped(t *testing.T) {
	mapped := map[string]access.Query{}
	var names []string
	for _, q := range access.Queries() {
		mapped[q.Name] = q
		names = append(names, q.Name)
	}
	if !slices.IsSorted(names) || len(names) != len(query.Catalogue()) {
		t.Errorf("%d of %d queries are mapped, in order: %v", len(names), len(query.Catalogue()), slices.IsSorted(names))
	}
	for _, q := range query.Catalogue() {
		got, ok := mapped[q.Name]
		if !ok {
			t.Errorf("the query %s is new: say in warehouse/access/tables.go what it reads", q.Name)
			continue
		}
		want := slices.Sorted(slices.Values(q.Marts))
		if !slices.Equal(slices.Sorted(slices.Values(got.Marts)), want) {
			t.Errorf("%s reads %v, and is mapped to %v", q.Name, q.Marts, got.Marts)
		}
		if len(got.Marts) == 0 && len(got.Needs) == 0 {
			t.Errorf("%s is open to everyone", q.Name)
		}
		// Columns that name one patient, leak or invoice make rows of it.
		if single := slices.ContainsFunc(q.Columns, func(c query.Column) bool {
			return slices.Contains([]string{"patient", "leak_id", "source_id", "invoice_number", "appointment_id", "episode_id"}, c.Name)
		}); single != got.Rows || single != q.Rows {
			t.Errorf("%s names single patients or invoices: %v, is mapped as rows: %v, and says of itself: %v", q.Name, single, got.Rows, q.Rows)
		}
	}
}

func TestTheCatalogueIsWhole(t *testing.T) {
	groups := access.Groups()
	if len(groups) < 17 || len(access.Permissions()) < 51 || len(access.Templates()) != 10 {
		t.Errorf("%d groups, %d permissions, %d role templates", len(groups), len(access.Permissions()), len(access.Templates()))
	}
	lakeWide := map[access.Permission]bool{}
	for _, g := range groups {
		reads := 0
		for _, e := range g.Entries {
			lakeWide[e.Permission] = e.LakeWide
			if e.Read {
				reads++
			}
			if !strings.HasSuffix(e.Says, ".") || len(strings.Fields(e.Says)) < 4 {
				t.Errorf("%s is not explained by a sentence: %q", e.Permission, e.Says)
			}
		}
		if reads == 0 || g.Title == "" {
			t.Errorf("the group %s shows nothing", g.Name)
		}
	}
	for _, p := range access.Permissions() {
		var entry access.Entry
		for _, g := range groups {
			for _, e := range g.Entries {
				if e.Permission == p {
					entry = e
				}
			}
		}
		for _, implied := range p.Implied() {
			if lakeWide[implied] && !entry.LakeWide {
				t.Errorf("%s implies %s, which reaches further", p, implied)
			}
			if implied.Group() == p.Group() && entry.Read {
				t.Errorf("the read %s implies %s", p, implied)
			}
		}
		if !entry.Read && len(p.Implied()) == 0 {
			t.Errorf("the action %s implies no read", p)
		}
	}
	if entry := access.SQLRun.Implied(); !slices.Contains(entry, access.PatientsView) || !slices.Contains(entry, access.SQLView) {
		t.Errorf("sql.run implies %v", entry)
	}
}

// docs/permissions.md is made from the catalogue.
func TestThePageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != access.Markdown() {
		t.Error("docs/permissions.md is not what the catalogue says: run make docs")
	}
}
