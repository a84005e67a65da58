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

// Released are released tables of leaks and of patients by status, and of what others says. Of the leaks by month and category:
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
	of := others()
	of["leaks"], of["care"], of["estimates"] = leaks, people, nil
	for _, g := range disclosure.Groups() {
		if things, known := of[g.Name]; known {
			snapshot.Exact = append(snapshot.Exact, counted(g, things))
		}
	}
	released, _, err := disclosure.Release(tb.Context(), snapshot, nil, disclosure.Settings{})
	if err != nil {
		tb.Fatal(err)
	}
	return released
}

// others are things of other groups, by group. Each kind is of so many patients that it can be told, but for the three who booked more
// than 30 days ahead.
func others() map[string][]thing {
	all := map[string][]thing{}
	add := func(group string, n int, values map[string]string, measures ...int64) {
		for range n {
			all[group] = append(all[group], thing{fmt.Sprint(group, len(all[group])), values, measures})
		}
	}
	visit := func(staff, lead, weekday, hour string) map[string]string {
		return map[string]string{
			"month": "2026-07", "staff_member": staff, "discipline": "Physio", "location": "Main", "lead_time": lead, "weekday": weekday, "hour": hour,
		}
	}
	// Of each appointment: itself, arrived, no-show, cancelled, expected, decided, with lead, lead days, missed and recovered twice, and
	// minutes that were open and booked.
	add("appointments", 30, visit("Robin Mercer", "0", "1", "8"), 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 60, 45)
	add("appointments", 15, visit("Sam Okafor", "1-3", "5", "14"), 1, 1, 0, 0, 1, 1, 1, 2, 0, 0, 0, 0, 60, 30)
	add("appointments", 15, visit("Sam Okafor", "1-3", "5", "14"), 1, 0, 1, 0, 1, 1, 1, 2, 1, 0, 1, 0, 60, 30)
	add("appointments", 3, visit("Robin Mercer", "over_30", "1", "8"), 1, 1, 0, 0, 1, 1, 1, 40, 0, 0, 0, 0, 60, 45)
	// Of each claim: itself, answered, rejected, paid, days to the payment, paid short, and by how much.
	add("claims", 20, map[string]string{"payer": "Sun Life", "month": "2026-07"}, 1, 1, 0, 1, 12, 0, 0)
	add("claims", 20, map[string]string{"payer": "Sun Life", "month": "2026-07"}, 1, 1, 1, 0, 0, 0, 0)
	// Of each recovery: the leak, what leaked, what came in, and that of it which came in by us.
	add("recoveries", 20, map[string]string{"month": "2026-08", "category": "claim_rejected"}, 1, 1000, 800, 500)
	add("recoveries", 20, map[string]string{"month": "2026-08", "category": "copay_missed"}, 1, 300, 300, 0)
	// Of each invoice: itself, charged, collected, adjusted, obtainable, settled.
	add("invoices", 20, map[string]string{"month": "2026-07", "payer_kind": "insurer"}, 1, 1000, 600, 200, 800, 800)
	add("invoices", 20, map[string]string{"month": "2026-07", "payer_kind": "person"}, 1, 500, 500, 0, 500, 500)
	add("adjustments", 20, map[string]string{"month": "2026-07", "kind": "write_off"}, 1, 250)
	begun := func(staff, cohort string) map[string]string {
		return map[string]string{
			"staff_member": staff, "location": "Main", "payer_kind": "insurer", "beginning": "new", "cohort_month": cohort, "course": "Physio, lapsed",
			"days": "42", "visits_made": "4",
		}
	}
	// Of each episode: itself, a first and a second visit, all visits, those with a later booking, and visits after a spell.
	add("episodes", 30, begun("Robin Mercer", "2026-06"), 1, 1, 1, 4, 2, 0)
	add("episodes", 20, begun("Sam Okafor", "2026-07"), 1, 1, 0, 4, 1, 0)
	return all
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
