package pipeline

import (
	"context"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// TestABuildDecidesWhatIsToldInAggregates builds two nights over a simulated clinic, and asks what the server would tell somebody who
// sees no rows: it is of the newest build, cells of few patients are withheld, and the next night remembers what this one withheld.
func TestABuildDecidesWhatIsToldInAggregates(t *testing.T) {
	t.Parallel()
	n := newNights(t, 3)
	n.read(t, simFirst)
	decided := func() (*disclosure.Pattern, string) {
		head, err := n.clinic.Clinic.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		body, err := n.clinic.Clinic.Snapshot(head).Released(t.Context())
		if err != nil || body == nil {
			t.Fatalf("nothing is decided: %v", err)
		}
		pattern, err := disclosure.ParsePattern(body)
		if err != nil {
			t.Fatal(err)
		}
		return pattern, head.Released.Path
	}
	if _, err := n.clinic.Build(t.Context(), BuildOptions{AsOf: simLast.AddDays(-1), Threads: 1}); err != nil {
		t.Fatal(err)
	}
	first, path := decided()
	// A part of the marts leaves the decision as it was.
	if _, err := n.clinic.Build(t.Context(), BuildOptions{AsOf: simLast, Select: []string{"leak_ledger"}, Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if _, same := decided(); same != path {
		t.Error("a build of one mart decided anew")
	}
	built, err := n.clinic.Build(t.Context(), BuildOptions{AsOf: simLast, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range built.Warnings {
		if strings.Contains(warning, "aggregates") {
			t.Error(warning)
		}
	}
	second, next := decided()
	if next == path {
		t.Error("another day, and the same decision")
	}
	if len(first.Groups) != len(disclosure.Groups()) || len(second.Groups) != len(disclosure.Groups()) {
		t.Errorf("%d and %d groups are decided", len(first.Groups), len(second.Groups))
	}

	var tables []string
	for _, g := range disclosure.Groups() {
		for _, table := range g.Tables {
			tables = append(tables, table.Name)
		}
	}
	snapshots := &Snapshots{names: map[string]servedAs{}, open: func(context.Context, string) (*Site, error) { return n.clinic, nil }}
	engine, err := snapshots.Open(t.Context(), "harbour", server.View{Marts: []string{}, Released: tables})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	withheld := int64(0)
	for _, d := range query.Catalogue() {
		if d.Released == nil {
			continue
		}
		answer, err := engine.Run(t.Context(), query.Request{Query: d.Name, Released: true})
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		withheld += answer.Withheld
		answer.Release()
		if _, err := engine.Run(t.Context(), query.Request{Query: d.Name}); err == nil {
			t.Errorf("%s is answered from rows", d.Name)
		}
	}
	if withheld == 0 {
		t.Error("nothing of a small clinic is withheld: the test shows nothing")
	}
}
