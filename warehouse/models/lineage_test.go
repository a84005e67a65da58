package models

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func names(nodes []Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return strings.Join(out, " ")
}

func TestLineage(t *testing.T) {
	project, err := Load(t.Context(), tree(map[string]string{
		"staging/a.sql":       "select 1 as x from lake.claims, settings.clinic",
		"staging/b.sql":       "select 2 as x from lake.policies",
		"intermediate/ab.sql": "select x from staging.a union all select x from staging.b",
		"marts/one.sql":       "select x from intermediate.ab",
		"marts/two.sql":       "select x from staging.b",
	}))
	if err != nil {
		t.Fatal(err)
	}
	all := project.Lineage()
	if got, want := names(all), "lake.claims lake.policies settings.clinic staging.a staging.b intermediate.ab marts.one marts.two"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for i, n := range all {
		for _, from := range n.Reads {
			if !slices.ContainsFunc(all[:i], func(before Node) bool { return before.Name == from && slices.Contains(before.ReadBy, n.Name) }) {
				t.Errorf("%s reads %s, which does not come before it or does not say so", n.Name, from)
			}
		}
	}
	for asked, want := range map[string]string{
		"two":           "lake.policies staging.b marts.two",
		"lake.claims":   "lake.claims staging.a intermediate.ab marts.one",
		"staging.b":     "lake.policies staging.b intermediate.ab marts.one marts.two",
		"one lake.none": "",
	} {
		got, err := Around(all, strings.Fields(asked))
		if (err != nil) != (want == "") || names(got) != want {
			t.Errorf("around %s: %s (%v), want %s", asked, names(got), err, want)
		}
	}
	some, err := Around(all, []string{"two"})
	if err != nil {
		t.Fatal(err)
	}
	want := `flowchart LR
  subgraph lake
    lake_policies[policies]
  end
  subgraph staging
    staging_b[b]
  end
  subgraph marts
    marts_two[two]
  end
  lake_policies --> staging_b
  staging_b --> marts_two
`
	if got := Picture(some); got != want {
		t.Errorf("the picture is\n%s", got)
	}
}

// docs/lineage.md is what the models say.
func TestLineageInTheDocsIsFresh(t *testing.T) {
	nodes, err := Lineage()
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join("..", "..", "docs", "lineage.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := LineageMarkdown(t.Context(), nodes)
	if err != nil || string(written) != want {
		t.Errorf("docs/lineage.md is stale (%v): run make docs", err)
	}
}
