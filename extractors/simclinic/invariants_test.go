package simclinic

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
)

// checkInvariants checks what must hold in every clinic's reports.
func checkInvariants(t testing.TB, c *Clinic) {
	t.Helper()
	zone, today := c.Zone(), c.ReportDate()
	endOfReport := today.AddDays(1).In(zone).Unix() + 3600 // a zone may have no midnight
	sources := map[string]civil.Date{}
	id := int64(0)
	ids := map[int64]bool{}
	for _, r := range records(t, c, Appointments) {
		id = r.number("id")
		if ids[id] || id <= 0 {
			t.Errorf("appointment id %d is not unique and positive", id)
		}
		ids[id] = true
		if r.number("end_at") <= r.number("start_at") {
			t.Errorf("appointment %d ends before it starts", id)
		}
		start := r.at("start_at", zone)
		if wallEnd, wallStart := r.at("end_at", zone).Format(time.DateTime), start.Format(time.DateTime); wallEnd <= wallStart {
			t.Errorf("appointment %d shows %s to %s", id, wallStart, wallEnd)
		}
		sources[r.text("id")] = civil.DateOf(start)
		for _, header := range []string{"booked_at", "arrived_at", "cancelled_at"} {
			if !r.blank(header) && r.number(header) > endOfReport {
				t.Errorf("appointment %d: %s lies after the report date", id, header)
			}
		}
		state := r.text("state")
		if (state == "arrived" || state == "no_show") && civil.DateOf(start).After(today) {
			t.Errorf("appointment %d of %v is %s already", id, civil.DateOf(start), state)
		}
		if state == "arrived" && r.blank("arrived_at") || state == "cancelled" && r.blank("cancelled_at") {
			t.Errorf("appointment %d is %s without a stamp", id, state)
		}
		people := len(r.list("patient_guid"))
		if nobody := state == "never_booked" || r.text("treatment_name") == "Break"; nobody != (people == 0) {
			t.Errorf("appointment %d: %s %s with %d patients", id, state, r.text("treatment_name"), people)
		}
		if people > 1 {
			for _, header := range []string{"patient_number", "patient_first_name", "patient_preferred_name", "patient_last_name"} {
				if n := len(strings.Split(r.text(header), "; ")); n != people {
					t.Errorf("appointment %d: %d values of %s for %d patients", id, n, header, people)
				}
			}
		}
		if people > 0 && (r.blank("booked_at") || r.number("booked_at") > r.number("start_at")) {
			t.Errorf("appointment %d was booked at %d for %d", id, r.number("booked_at"), r.number("start_at"))
		}
	}
	tax := c.Dials().Tax.Name
	reversals := map[string]int64{}
	for _, r := range records(t, c, Sales) {
		number := r.text("Invoice #")
		sources[number] = r.date("Purchase Date")
		if r.number("Subtotal")+r.number(tax) != r.number("Total") {
			t.Errorf("%s: subtotal %d and tax %d are not the total %d", number, r.number("Subtotal"), r.number(tax), r.number("Total"))
		}
		if isReversal := strings.HasSuffix(number, "X"); isReversal != (r.number("Total") < 0) {
			t.Errorf("%s has the total %d", number, r.number("Total"))
		} else if isReversal {
			reversals[number] += r.number("Total")
		}
		if r.date("Invoice Date").After(today) || r.date("Purchase Date").After(today) || r.date("Invoice Date").Before(r.date("Purchase Date")) {
			t.Errorf("%s of %v is issued on %v", number, r.date("Purchase Date"), r.date("Invoice Date"))
		}
	}
	for _, r := range records(t, c, Sales) {
		m := invoicePattern.FindStringSubmatch(r.text("Invoice #"))
		next := fmt.Sprintf("%s-%s%02dX", m[1], m[2], int(m[3][0]-'0')*10+int(m[3][1]-'0')+1)
		if _, ok := reversals[next]; ok {
			reversals[next] += r.number("Total")
		}
	}
	for number, net := range reversals {
		if net != 0 {
			t.Errorf("%s and what it reverses net to %d", number, net)
		}
	}
	checkMoney(t, c)
	for _, r := range records(t, c, Claims) {
		sent, answered := r.blank("Submitted Date"), r.blank("Response Date")
		unsent := slices.Contains([]string{"Draft", "Unsubmitted", "Waiting on Primary"}, r.text("Folder"))
		if unsent != sent || !answered && r.date("Response Date").Before(r.date("Submitted Date")) || !answered && r.date("Response Date").After(today) {
			t.Errorf("claim %s in %s: submitted %v, answered %v", r.text("Claim Id"), r.text("Folder"), r["Submitted Date"], r["Response Date"])
		}
	}
	for _, leak := range c.Truth() {
		if on, ok := sources[leak.SourceID]; !ok || on != leak.OccurredOn {
			t.Errorf("%s %s of %v: the reports have it on %v (%v)", leak.Category, leak.SourceID, leak.OccurredOn, on, ok)
		}
		if leak.AmountCents <= 0 {
			t.Errorf("%s %s is for %d cents", leak.Category, leak.SourceID, leak.AmountCents)
		}
	}
	guids := map[string]bool{}
	for i, p := range c.Patients() {
		if guids[p.GUID] || p.Number != i+1 {
			t.Errorf("patient %d has number %d and guid %s", i, p.Number, p.GUID)
		}
		guids[p.GUID] = true
	}
	for _, s := range c.States() {
		if !guids[s.Patient] {
			t.Errorf("state of %s, who is no patient", s.Patient)
		}
	}
}

func TestInvariants(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		checkInvariants(t, defaultClinic(t, seed))
	}
}

func TestHoursAddUp(t *testing.T) {
	c := defaultClinic(t, 3)
	d := c.Dials()
	sum := func(from, to civil.Date) (totals [4]int64) {
		table, err := c.Table(Hours, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range table.Rows {
			for i, header := range hoursHeaders[1:] {
				totals[i] += row[table.Column(header)].Number
			}
			if shift, pause, busy := row[1].Number, row[2].Number, row[3].Number; busy > shift-pause || busy <= 0 && to.DaysSince(from) > 300 {
				t.Errorf("%s works %d minutes with a break of %d, and is booked for %d", row[0].Text, shift, pause, busy)
			}
		}
		return totals
	}
	var months [4]int64
	for from := d.From; !from.After(d.To); {
		next := civil.Date{Year: from.Year, Month: from.Month, Day: 1}.AddDays(31)
		next.Day = 1
		for i, n := range sum(from, next.AddDays(-1)) {
			months[i] += n
		}
		from = next
	}
	if whole := sum(d.From, d.To); whole != months {
		t.Errorf("the months add up to %v, two years are %v", months, whole)
	}
	var count int64
	for _, r := range records(t, c, Appointments) {
		state, on := r.text("state"), civil.DateOf(r.at("start_at", c.Zone()))
		if !on.After(d.To) && r.text("treatment_name") != "Break" && (state == "booked" || state == "arrived" || state == "no_show") {
			count++
		}
	}
	if count != months[3] {
		t.Errorf("the hours report counts %d appointments, the schedule has %d", months[3], count)
	}
}

func TestTablesCutOutTheirRange(t *testing.T) {
	c := defaultClinic(t, 2)
	from, to := civil.Date{Year: 2024, Month: 11, Day: 1}, civil.Date{Year: 2024, Month: 11, Day: 5} // clocks change on the 3rd
	for report, day := range map[string]func(record) civil.Date{
		Appointments: func(r record) civil.Date { return civil.DateOf(r.at("start_at", c.Zone())) },
		Sales:        func(r record) civil.Date { return r.date("Purchase Date") },
		Claims:       func(r record) civil.Date { return r.date("Service Date") },
	} {
		want := 0
		for _, r := range records(t, c, report) {
			if !day(r).Before(from) && !day(r).After(to) {
				want++
			}
		}
		table, err := c.Table(report, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Rows) != want || want == 0 || table.From != from || table.To != to {
			t.Errorf("%s: %d rows, the whole report has %d in the range", report, len(table.Rows), want)
		}
	}
	if _, err := c.Table("payroll", from, to); err == nil || !strings.Contains(err.Error(), `"payroll"`) {
		t.Errorf("an unknown report gives %v", err)
	}
	if _, err := c.Table(Sales, to, from); err == nil || !strings.Contains(err.Error(), "ends before it starts") {
		t.Errorf("a range backwards gives %v", err)
	}
	if table, err := c.Table(Sales, civil.Date{Year: 1999, Month: 1, Day: 1}, civil.Date{Year: 1999, Month: 2, Day: 1}); err != nil || len(table.Rows) != 0 || len(table.Headers) < 17 {
		t.Errorf("a range before the clinic gives %v with %v", table, err)
	}
}
