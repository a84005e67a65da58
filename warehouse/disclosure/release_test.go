package disclosure_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// status is a group of one dimension, each patient one thing.
func status() disclosure.Group {
	return disclosure.Group{
		Name: "care", Base: "patients", Measures: []disclosure.Measure{{Name: "patients", Unit: "count"}, {Name: "amount_cents", Unit: "cents"}},
		Tables: []disclosure.Table{{Name: "patients"}, {Name: "patients_by_status", Dimensions: []string{"status"}}},
	}
}

func statuses(counts map[string]int64) disclosure.Exact {
	cells := map[disclosure.Label]disclosure.Cell{}
	var total int64
	for name, n := range counts {
		cells[disclosure.Label{name}] = disclosure.Cell{Patients: n, Measures: []int64{n, 100 * n}}
		total += n
	}
	return disclosure.Exact{Group: "care", Cells: map[string]map[disclosure.Label]disclosure.Cell{
		"patients":           {{}: {Patients: total, Measures: []int64{total, 100 * total}}},
		"patients_by_status": cells,
	}}
}

// next releases a day of statuses after another, the pattern having been to the lake and back.
func next(t *testing.T, asOf civil.Date, counts map[string]int64, before *disclosure.Pattern) (map[string]string, *disclosure.Pattern, *disclosure.Released) {
	t.Helper()
	released, pattern, err := disclosure.Release(context.Background(), disclosure.Snapshot{
		AsOf: asOf, Groups: []disclosure.Group{status()}, Exact: []disclosure.Exact{statuses(counts)},
	}, before, disclosure.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := pattern.JSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := disclosure.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := back.JSON(); !bytes.Equal(text, again) {
		t.Error("a pattern read back is another one")
	}
	table, ok := released.Table("patients_by_status")
	if !ok {
		t.Fatal("there is no table patients_by_status")
	}
	shown := map[string]string{}
	for _, row := range table.Rows {
		switch {
		case row.Suppressed && (row.Values[0] != 0 || row.Values[1] != 0):
			t.Errorf("%v is suppressed, and says %v", row.Label, row.Values)
		case row.Suppressed:
			shown[row.Label[0]] = "withheld"
		default:
			shown[row.Label[0]] = "shown"
		}
	}
	return shown, back, released
}

func TestWhatIsSuppressed(t *testing.T) {
	for name, test := range map[string]struct {
		counts map[string]int64
		want   map[string]string
	}{
		"ten is too few, eleven is not": {
			map[string]int64{"active": 40, "at_risk": 11, "finished": 12},
			map[string]string{"active": "shown", "at_risk": "shown", "finished": "shown"},
		},
		"a small cell takes the smallest other with it": {
			map[string]int64{"active": 90, "at_risk": 10, "fallen_off": 50, "finished": 30},
			map[string]string{"active": "shown", "at_risk": "withheld", "fallen_off": "shown", "finished": "withheld"},
		},
		"two small cells can be told too nearly by their sum": {
			map[string]int64{"active": 90, "at_risk": 2, "fallen_off": 3, "finished": 30},
			map[string]string{"active": "shown", "at_risk": "withheld", "fallen_off": "withheld", "finished": "withheld"},
		},
		"two small cells that together are of enough": {
			map[string]int64{"active": 90, "at_risk": 8, "fallen_off": 9, "finished": 30},
			map[string]string{"active": "shown", "at_risk": "withheld", "fallen_off": "withheld", "finished": "shown"},
		},
		"a clinic of ten": {
			map[string]int64{"active": 4, "at_risk": 6},
			map[string]string{"active": "withheld", "at_risk": "withheld"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, _ := next(t, day, test.counts, nil)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want −, got +:\n%s", diff)
			}
		})
	}
}

// A cell that was of 10 is not shown when it is of 11: the change of one would tell what it was.
func TestASmallCellStaysSuppressedUntilItHasGrown(t *testing.T) {
	counts := func(small int64) map[string]int64 {
		return map[string]int64{"active": 90 + small, "at_risk": small, "finished": 30 + small}
	}
	_, pattern, _ := next(t, day, counts(10), nil)
	for i, step := range []struct {
		small int64
		want  string
	}{{11, "withheld"}, {15, "withheld"}, {20, "withheld"}, {21, "shown"}} {
		var shown map[string]string
		shown, pattern, _ = next(t, day.AddDays(i+1), counts(step.small), pattern)
		if shown["at_risk"] != step.want {
			t.Errorf("at_risk of %d patients, 10 before: %s, want %s", step.small, shown["at_risk"], step.want)
		}
	}
}

// The same numbers again are suppressed in the same way, however the choice would fall by itself.
func TestTheSameNumbersAreSuppressedAlike(t *testing.T) {
	first, pattern, _ := next(t, day, map[string]int64{"active": 90, "at_risk": 10, "fallen_off": 29, "finished": 30}, nil)
	second, pattern, _ := next(t, day.AddDays(1), map[string]int64{"active": 91, "at_risk": 10, "fallen_off": 29, "finished": 30}, pattern)
	third, _, _ := next(t, day.AddDays(2), map[string]int64{"active": 91, "at_risk": 10, "fallen_off": 29, "finished": 30}, pattern)
	if diff := cmp.Diff(second, third); diff != "" {
		t.Errorf("the same numbers are suppressed differently (second day −, third +):\n%s", diff)
	}
	if first["at_risk"] != "withheld" || third["at_risk"] != "withheld" {
		t.Errorf("10 patients are shown: %v, %v", first, third)
	}
}

func TestNotesSayWhatIsWithheld(t *testing.T) {
	_, _, released := next(t, day, map[string]int64{"active": 90, "at_risk": 10, "finished": 30}, nil)
	table, _ := released.Table("patients_by_status")
	if got, want := table.Note(11, day), "2 cells are withheld: they are of fewer than 11 patients, or would tell of ones that are."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if note := table.Note(11, day.AddDays(1)); !strings.Contains(note, "As of 2026-09-30") {
		t.Errorf("%q does not say of which day it is", note)
	}
	if got, want := released.Note(), "2 cells of 1 table are withheld, so that no number tells of a few patients."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAThresholdBelowElevenIsRefused(t *testing.T) {
	_, _, err := disclosure.Release(context.Background(), disclosure.Snapshot{}, nil, disclosure.Settings{Threshold: 10})
	if err == nil || !strings.Contains(err.Error(), "too low") {
		t.Errorf("a threshold of 10: %v", err)
	}
}

func TestCellsThatDoNotAddUpAreRefused(t *testing.T) {
	exact := statuses(map[string]int64{"active": 90, "finished": 30})
	exact.Cells["patients"][disclosure.Label{}] = disclosure.Cell{Patients: 121, Measures: []int64{121, 12_000}}
	_, _, err := disclosure.Release(context.Background(), disclosure.Snapshot{
		Groups: []disclosure.Group{status()}, Exact: []disclosure.Exact{exact},
	}, nil, disclosure.Settings{})
	if err == nil || !strings.Contains(err.Error(), "do not add up") {
		t.Errorf("a total that is no sum: %v", err)
	}
}

func TestDimensionsInACircleAreRefused(t *testing.T) {
	g := status()
	g.Tables = append(g.Tables,
		disclosure.Table{Name: "ab", Dimensions: []string{"a", "b"}},
		disclosure.Table{Name: "bc", Dimensions: []string{"b", "c"}},
		disclosure.Table{Name: "ca", Dimensions: []string{"c", "a"}})
	_, _, err := disclosure.Release(context.Background(), disclosure.Snapshot{Groups: []disclosure.Group{g}}, nil, disclosure.Settings{})
	if err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("three tables in a circle: %v", err)
	}
}
