package pipeline

import (
	"slices"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

func figure(name string, amount int64) models.Figure {
	return models.Figure{FigureName: models.FigureName{Figure: name}, Unit: "count", Amount: amount}
}

// change is what a test looks at of a restatement.
type change struct {
	figure                             string
	published, before, restated, since int64
}

func changes(m *closedMonth) (out []change) {
	for _, r := range m.history {
		out = append(out, change{r.Figure, r.Published, r.Before, r.Restated, r.Since})
	}
	return out
}

func TestRestatementsAreAHistory(t *testing.T) {
	day := civil.Date{Year: 2026, Month: 3, Day: 1}
	m := &closedMonth{month: "2026-01", published: []models.Figure{figure("leaks", 3), figure("visits", 10)}}
	steps := []struct {
		why   string
		since int64
		now   []models.Figure
		news  bool
		want  []change
	}{
		{"the same", 5, []models.Figure{figure("visits", 10), figure("leaks", 3)}, false, nil},
		{"one moves", 6, []models.Figure{figure("leaks", 3), figure("visits", 9)}, true, []change{{"visits", 10, 10, 9, 6}}},
		{"nothing new", 7, []models.Figure{figure("leaks", 3), figure("visits", 9)}, false, nil},
		{
			"one goes, one comes, one moves again", 8, []models.Figure{figure("visits", 8), figure("hours", 4)}, true,
			[]change{{"hours", 0, 0, 4, 8}, {"leaks", 3, 3, 0, 8}, {"visits", 10, 9, 8, 8}},
		},
		{
			"other models judge the same data anew: one row a figure", 8, []models.Figure{figure("leaks", 1), figure("visits", 9)}, true,
			[]change{{"leaks", 3, 3, 1, 8}},
		},
		{"all is as it was published", 9, []models.Figure{figure("leaks", 3), figure("visits", 10)}, true, []change{{"leaks", 3, 1, 3, 9}, {"visits", 10, 9, 10, 9}}},
	}
	var want []change
	for _, step := range steps {
		if step.why == "other models judge the same data anew: one row a figure" {
			want = want[:1] // what the first judgement found of that data is replaced; hours and visits are as they were before it
		}
		want = append(want, step.want...)
		if news := m.restate(step.now, dataFrom{step.since, day}); news != step.news {
			t.Errorf("%s: news is %v", step.why, news)
		}
		if got := changes(m); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", step.why, got, want)
		}
	}
	for _, f := range m.figures() {
		if f.Amount != f.Restated {
			t.Errorf("in the end %s is %d, published %d", f.FigureName.Figure, f.Restated, f.Amount)
		}
	}
	_, rows := modelInputs([]*closedMonth{m})
	var current []string
	for _, r := range rows {
		if r.Current {
			current = append(current, r.Figure)
		}
	}
	if want := []string{"leaks", "visits"}; !slices.Equal(current, want) {
		t.Errorf("current are %v, want %v", current, want)
	}
}

// The name of what a closed month is computed from tells its own past from days that cannot change it.
func TestOnlyAMonthsOwnPastIsItsBasis(t *testing.T) {
	asOf := civil.Date{Year: 2026, Month: 3, Day: 14}
	basis := func(change func(map[string]lake.Dataset)) string {
		t.Helper()
		datasets := map[string]lake.Dataset{
			"appointments":  {Objects: []lake.Object{{Path: "a1", Month: "2026-01"}, {Path: "a2", Month: "2027-03"}, {Path: "a3", Month: "2027-04"}}},
			"invoice_lines": {Objects: []lake.Object{{Path: "i1", Month: "2026-03"}, {Path: "i2", Month: "2026-04"}}},
			"policies":      {Objects: []lake.Object{{Path: "p1", Month: "undated"}}},
			"payments":      {Objects: []lake.Object{{Path: "x1", Month: "2026-01"}}},
		}
		change(datasets)
		name, err := compareBasis(&lake.Commit{Datasets: datasets}, asOf)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	swap := func(dataset, from string) func(map[string]lake.Dataset) {
		return func(all map[string]lake.Dataset) {
			for i, o := range all[dataset].Objects {
				if o.Path == from {
					all[dataset].Objects[i].Path = "new"
				}
			}
		}
	}
	same := basis(func(map[string]lake.Dataset) {})
	for _, test := range []struct {
		dataset, object string
		matters         bool
	}{
		{"appointments", "a1", true}, {"appointments", "a2", true}, {"appointments", "a3", false},
		{"invoice_lines", "i1", true}, {"invoice_lines", "i2", false}, {"policies", "p1", true},
		{"payments", "x1", false}, // no model reads it
	} {
		if got := basis(swap(test.dataset, test.object)) != same; got != test.matters {
			t.Errorf("another %s in %s matters: %v, want %v", test.object, test.dataset, got, test.matters)
		}
	}
}
