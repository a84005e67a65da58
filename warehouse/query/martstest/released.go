package martstest

import (
	"fmt"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// thing is what a group of released tables counts: of one patient, with its values of the group's dimensions, and its measures.
type thing struct {
	patient  string
	values   map[string]string
	measures []int64
}

// Few is what the leaks of three patients come to in cents, and FewPatients how many have fallen off: neither may be told by any
// answer that is made of Released.
const (
	Few         = 3 * 4711
	FewPatients = 5
)

// Released are released tables of leaks and of patients by status. Of the leaks by month and category:
//
//	                 July            August
//	unbilled_visit   30 × 100.00     20 × 100.00
//	rejected_claim   25 × 80.00      14 × 80.00
//	no_show_fee      15 × 47.11       3 × 47.11
//
// and 60 patients are active, 20 at risk, 5 have fallen off and 12 are finished.
func Released(tb testing.TB) *disclosure.Released {
	tb.Helper()
	var leaks, people []thing
	for _, of := range []struct {
		month, category string
		n               int
		cents           int64
	}{
		{"2026-07", "unbilled_visit", 30, 10000},
		{"2026-07", "rejected_claim", 25, 8000},
		{"2026-07", "no_show_fee", 15, 4711},
		{"2026-08", "unbilled_visit", 20, 10000},
		{"2026-08", "rejected_claim", 14, 8000},
		{"2026-08", "no_show_fee", 3, 4711},
	} {
		for range of.n {
			leaks = append(leaks, thing{fmt.Sprint("p", len(leaks)), map[string]string{
				"month": of.month, "category": of.category, "discipline": "Physio", "location": "Main", "staff_member": "Robin Mercer", "state": "open",
			}, []int64{1, of.cents}})
		}
	}
	for status, n := range map[string]int{"active": 60, "at_risk": 20, "fallen_off": FewPatients, "finished": 12} {
		for range n {
			people = append(people, thing{fmt.Sprint("p", len(people)), map[string]string{"status": status, "discipline": "Physio"}, []int64{1, 500}})
		}
	}
	snapshot := disclosure.Snapshot{AsOf: AsOf, Groups: disclosure.Groups()}
	for _, g := range disclosure.Groups() {
		switch g.Name {
		case "leaks":
			snapshot.Exact = append(snapshot.Exact, counted(g, leaks))
		case "care":
			snapshot.Exact = append(snapshot.Exact, counted(g, people))
		case "estimates":
			snapshot.Exact = append(snapshot.Exact, counted(g, nil))
		}
	}
	released, _, err := disclosure.Release(tb.Context(), snapshot, nil, disclosure.Settings{})
	if err != nil {
		tb.Fatal(err)
	}
	return released
}

// counted counts things into the tables of a group. No patient has two of them.
func counted(g disclosure.Group, things []thing) disclosure.Exact {
	e := disclosure.Exact{Group: g.Name, Cells: map[string]map[disclosure.Label]disclosure.Cell{}}
	for _, t := range g.Tables {
		cells := map[disclosure.Label]disclosure.Cell{}
		for _, of := range things {
			var label disclosure.Label
			for i, d := range t.Dimensions {
				label[i] = of.values[d]
			}
			cell := cells[label]
			cell.Patients++
			if cell.Measures == nil {
				cell.Measures = make([]int64, len(of.measures))
			}
			for i, m := range of.measures {
				cell.Measures[i] += m
			}
			cells[label] = cell
		}
		e.Cells[t.Name] = cells
	}
	return e
}
