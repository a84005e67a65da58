package simclinic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
)

// everyCategory are the slugs the truth must have.
var everyCategory = []string{
	"visit_not_closed", "arrived_no_charge", "no_show_fee", "late_cancel_fee", "after_policy_end", "over_policy_maximum",
	"claim_never_sent", "claim_rejected", "claim_underpaid", "insurer_balance_aged", "copay_missed", "patient_balance_aged",
	"write_off",
}

// lookAlikes counts, from the reports' rows, what is no leak though it looks like one, and the awkward rows that a reader
// must get right. Values are the ids of rows or invoices, so that they can be looked for in the truth.
func lookAlikes(t testing.TB, c *Clinic) (counts map[string]int, innocent map[string][]string) {
	counts, innocent = map[string]int{}, map[string][]string{}
	o := &outsider{t: t, c: c, settings: readSettings(t, c)}
	o.at = c.ReportDate()
	o.taxRate = parseDecimal(t, o.settings.Tax.Rate, 4)
	zone := c.Zone()
	sales := records(t, c, Sales)
	numbers := map[string]bool{}
	for _, r := range sales {
		numbers[r.text("Invoice #")] = true
	}
	charged := map[string]int{} // standing invoices by patient, day, staff and item
	bases := map[string]bool{}
	for _, s := range o.standingLines(sales) {
		for _, item := range s.items {
			if key := s.patient + s.on.String() + s.staff + item; !bases[key+s.base] {
				bases[key+s.base] = true
				charged[key]++
			}
		}
	}
	for _, r := range sales {
		number := r.text("Invoice #")
		find := func(kind string) {
			counts[kind]++
			innocent[kind] = append(innocent[kind], number)
		}
		switch {
		case strings.HasSuffix(r.text("Payer"), "(Patient Pre-Pay)") && r.number("Balance") > 0:
			find("courtesy claim with a balance")
		case strings.HasSuffix(number, "X"):
			find("reversal")
		case r.text("Income Category") == "Packages":
			counts["package"]++
		case r.text("Income Category") == "Package Pass":
			find("visit on a pass")
		case r.text("Income Category") == "Fees" && r.number("Total") == 0:
			find("waived fee")
		case r.number("Balance") < 0:
			find("credit")
		case strings.HasSuffix(number, "-P02") && !numbers[strings.TrimSuffix(number, "2")+"1"]:
			counts["renumbered invoice"]++
		case r.text("Income Category") == "Products":
			counts["product beside a visit"]++
		}
		if r.date("Invoice Date").DaysSince(r.date("Purchase Date")) >= 2 && strings.HasSuffix(number, "01") {
			counts["late invoice"]++
		}
	}
	policies := map[string]int{}
	for _, r := range records(t, c, Policies) {
		policies[r.text("Patient Guid")+r.text("Insurer(s)")]++
	}
	for _, n := range policies {
		if n == 2 {
			counts["two policies with one insurer"]++
		}
	}
	claims := records(t, c, Claims)
	attempts := map[string]int{}
	for _, r := range claims {
		counts["claim in "+r.text("Folder")]++
		if r.text("Folder") == "Waiting on Primary" {
			innocent["second of two insurers"] = append(innocent["second of two insurers"], r.text("Invoice #"))
			counts["second of two insurers"]++
		}
		attempts[r.text("Invoice #")]++
		if r.text("Folder") != "Rejected" && attempts[r.text("Invoice #")] > 1 && !r.blank("Submitted Date") {
			counts["rejected and resubmitted"]++
		}
	}
	doubles := map[string][]record{}
	changes := clockChanges(c)
	for _, r := range records(t, c, Appointments) {
		state := r.text("state")
		find := func(kind string) {
			counts[kind]++
			innocent[kind] = append(innocent[kind], r.text("id"))
		}
		start := r.at("start_at", zone)
		on := civil.DateOf(start)
		past := on.Before(c.ReportDate())
		switch {
		case r.text("treatment_name") == "Break":
			find("break")
			continue
		case state == "never_booked", state == "rescheduled", state == "archived":
			find(state)
			continue
		case len(r.list("patient_guid")) > 1:
			counts["class"]++
		}
		if state == "booked" && past && !r.blank("arrived_at") {
			counts["un-arrived"]++
		}
		if (state == "booked" || state == "arrived") && !r.blank("cancelled_at") {
			counts["un-cancelled"]++
		}
		if state == "booked" && on.After(c.ReportDate()) {
			find("booking ahead")
		}
		if state == "no_show" {
			due, _, item := o.fee("no_show", r.text("treatment_name"), on)
			switch {
			case item == "":
				find("no-show before there was a policy")
			case due == 0:
				find("no-show at $0")
			default:
				counts[fmt.Sprint("no-show with fee ", due)]++
			}
		}
		if state == "cancelled" {
			due, notice, _ := o.fee("late_cancel", r.text("treatment_name"), on)
			switch notice := int64(notice) * 3600; {
			case r.number("cancelled_at") == r.number("start_at")-notice:
				find("cancelled with exactly the notice")
			case r.number("cancelled_at") < r.number("start_at")-notice:
				find("cancelled in time")
			case r.number("cancelled_at") > r.number("start_at"):
				counts["cancelled after the start"]++
			default:
				counts[fmt.Sprint("late cancel with fee ", due)]++
			}
		}
		if state == "arrived" && past {
			key := r.text("patient_guid") + on.String() + r.text("staff_member_name") + r.text("treatment_name")
			doubles[key] = append(doubles[key], r)
		}
		for _, change := range changes {
			if start.Before(change.Add(time.Hour)) && r.at("end_at", zone).After(change.Add(-time.Hour)) {
				counts["visit in the hour clocks change"]++
			}
		}
	}
	for key, visits := range doubles {
		switch {
		case len(visits) != 2:
		case charged[key] == 1:
			counts["two visits a day, one charged"]++
		case charged[key] > 1:
			counts["two visits a day, both charged"]++
			for _, r := range visits {
				innocent["two visits a day, both charged"] = append(innocent["two visits a day, both charged"], r.text("id"))
			}
		}
	}
	return counts, innocent
}

// clockChanges are the moments of the clinic's history at which clocks change.
func clockChanges(c *Clinic) []time.Time {
	var out []time.Time
	for d := c.Dials().From; d.Before(c.ReportDate()); d = d.AddDays(1) {
		_, before := d.In(c.Zone()).Zone()
		_, after := d.AddDays(1).In(c.Zone()).Zone()
		if before == after {
			continue
		}
		at := d.In(c.Zone())
		for offset := before; offset == before; {
			at = at.Add(15 * time.Minute)
			_, offset = at.Zone()
		}
		out = append(out, at)
	}
	return out
}

// plentiful are the look-alikes and awkward rows that every clinic at default dials must have.
var plentiful = []string{
	"courtesy claim with a balance", "reversal", "package", "visit on a pass", "waived fee", "credit", "renumbered invoice",
	"product beside a visit", "late invoice", "second of two insurers", "rejected and resubmitted", "break", "never_booked",
	"rescheduled", "archived", "class", "un-arrived", "un-cancelled", "booking ahead", "no-show at $0",
	"cancelled in time", "cancelled with exactly the notice", "visit in the hour clocks change",
	"two visits a day, one charged", "two visits a day, both charged", "two policies with one insurer",
}

func TestEverythingOccursTenTimes(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := defaultClinic(t, seed)
			leaks := map[string]int{}
			sources := map[string]string{}
			for _, leak := range c.Truth() {
				leaks[leak.Category]++
				sources[leak.SourceID] = leak.Category
			}
			for _, category := range everyCategory {
				if leaks[category] < 10 {
					t.Errorf("%s: %d leaks, want at least 10", category, leaks[category])
				}
			}
			if len(leaks) != len(everyCategory) {
				t.Errorf("categories %v, want only %v", slices.Sorted(maps.Keys(leaks)), everyCategory)
			}
			counts, innocent := lookAlikes(t, c)
			for _, kind := range plentiful {
				if counts[kind] < 10 {
					t.Errorf("%s: %d times, want at least 10", kind, counts[kind])
				}
			}
			for kind, ids := range innocent {
				for _, id := range ids {
					if category, ok := sources[id]; ok {
						t.Errorf("%s %s is in the truth as %s", kind, id, category)
					}
				}
			}
		})
	}
}
