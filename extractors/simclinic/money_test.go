package simclinic

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
)

// cash is what the reports of one clinic say about its money, read as an outsider must.
type cash struct {
	sales, transactions, applied, adjusted []record
	// appliedTo and takenOff are sums by invoice number.
	appliedTo, takenOff map[string]int64
}

func cashOf(t testing.TB, c *Clinic) cash {
	t.Helper()
	m := cash{
		sales: records(t, c, Sales), transactions: records(t, c, Transactions), applied: records(t, c, Applied),
		adjusted: append(records(t, c, Adjustments), records(t, c, WriteOffs)...), appliedTo: map[string]int64{}, takenOff: map[string]int64{},
	}
	for _, r := range m.applied {
		m.appliedTo[r.text("Invoice #")] += r.number("Applied Amount")
	}
	for _, r := range m.adjusted {
		m.takenOff[r.text("Invoice #")] += r.number("Adjustment Amount") + r.number("Amount Written Off")
	}
	return m
}

// checkMoney checks that the money reports tell one story.
func checkMoney(t testing.TB, c *Clinic) {
	t.Helper()
	m := cashOf(t, c)
	checkInvoices(t, m)
	checkPayments(t, c, m)
	checkCredits(t, c, m)
	checkControlTotals(t, c, m)
}

// checkInvoices: what is collected is what payments were applied, and what is open is what neither money nor an adjustment met.
func checkInvoices(t testing.TB, m cash) {
	t.Helper()
	type sums struct{ total, collected, balance int64 }
	invoices := map[string]sums{}
	for _, r := range m.sales {
		s := invoices[r.text("Invoice #")]
		s.total, s.collected, s.balance = s.total+r.number("Total"), s.collected+r.number("Collected"), s.balance+r.number("Balance")
		invoices[r.text("Invoice #")] = s
	}
	for number, s := range invoices {
		if applied := m.appliedTo[number]; applied != s.collected {
			t.Errorf("%s: collected %d, applied %d", number, s.collected, applied)
		}
		if s.balance != s.total-s.collected-m.takenOff[number] {
			t.Errorf("%s: balance %d, total %d, collected %d, taken off %d", number, s.balance, s.total, s.collected, m.takenOff[number])
		}
	}
	for _, r := range m.adjusted {
		number := r.text("Invoice #")
		s, known := invoices[number]
		if amount := r.number("Adjustment Amount") + r.number("Amount Written Off"); !known || amount <= 0 || m.takenOff[number] > s.total {
			t.Errorf("%s of %d is made smaller by %d (known: %v)", number, s.total, amount, known)
		}
	}
	for _, r := range m.applied {
		if number := r.text("Invoice #"); number != "" {
			if _, known := invoices[number]; !known {
				t.Errorf("%s is paid, and in no sales report", number)
			}
		}
	}
}

// checkPayments: nothing is applied that did not come, and the rest is printed.
func checkPayments(t testing.TB, c *Clinic, m cash) {
	t.Helper()
	shares := map[string]int64{}
	for _, r := range m.applied {
		shares[r.text("Transaction #")] += r.number("Applied Amount")
		if on := r.date("Payment Date"); on.After(c.ReportDate()) || !r.blank("Applied Date") && (r.date("Applied Date").Before(on) || r.date("Applied Date").After(c.ReportDate())) {
			t.Errorf("payment %s of %v is applied on %v", r.text("Transaction #"), on, r.date("Applied Date"))
		}
		if r.blank("Applied Date") != (r.text("Invoice #") == "") {
			t.Errorf("payment %s: a share has the one of invoice and day", r.text("Transaction #"))
		}
	}
	numbers := map[string]bool{}
	last := civil.Date{}
	for _, r := range m.transactions {
		number, amount := r.text("Transaction #"), r.number("Amount")
		if numbers[number] || r.date("Date").Before(last) {
			t.Errorf("transaction %s is there twice or out of order", number)
		}
		numbers[number], last = true, r.date("Date")
		want := amount - r.number("Tip")
		if r.text("Type") == "Fee" {
			want = 0
		}
		if shares[number] != want {
			t.Errorf("payment %s of %d with a tip of %d: its shares are %d", number, amount, r.number("Tip"), shares[number])
		}
		if in := r.text("Type") == "Payment"; in != (amount > 0) || amount == 0 || in && r.number("Amount Paid to Clinic") > amount {
			t.Errorf("%s %s is of %d, of which %d reached the clinic", r.text("Type"), number, amount, r.number("Amount Paid to Clinic"))
		}
		delete(shares, number)
	}
	for number := range shares {
		t.Errorf("payment %s is applied, and in no transactions report", number)
	}
}

// checkCredits: what stands on account is what was received, less tips and what it was applied to, person by person.
func checkCredits(t testing.TB, c *Clinic, m cash) {
	t.Helper()
	want := map[string]int64{}
	for _, r := range m.transactions {
		if r.text("Type") != "Fee" && !r.blank("Patient Guid") {
			want[r.text("Patient Guid")] += r.number("Amount") - r.number("Tip")
		}
	}
	for _, r := range m.applied {
		if r.text("Invoice #") != "" && !r.blank("Patient Guid") {
			want[r.text("Patient Guid")] -= r.number("Applied Amount")
		}
	}
	table, err := c.Table(Credits, c.ReportDate(), c.ReportDate())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		guid, credit := row[0].Text, row[table.Column("Credit")].Number
		if credit <= 0 || credit != want[guid] {
			t.Errorf("the credit of %s is %d, received and not applied %d", guid, credit, want[guid])
		}
		delete(want, guid)
	}
	for guid, left := range want {
		if left != 0 {
			t.Errorf("%s has %d on account and is not in the report", guid, left)
		}
	}
}

// checkControlTotals: opening A/R + sales − transactions + closing credits − opening credits − credit memos + tips = closing A/R,
// every term summed from its own report.
func checkControlTotals(t testing.TB, c *Clinic, m cash) {
	t.Helper()
	table, err := c.Table(Receivables, c.ReportDate(), c.ReportDate())
	if err != nil {
		t.Fatal(err)
	}
	var closing, credits int64
	next := civil.Date{Year: c.Dials().From.Year, Month: c.Dials().From.Month, Day: 1}
	for _, row := range table.Rows {
		r := record{}
		for i, header := range table.Headers {
			r[header] = row[i]
		}
		from, to := r.date("From"), r.date("To")
		if from != next {
			t.Errorf("a month begins on %v, want %v", from, next)
		}
		next = to.AddDays(1)
		in := func(d civil.Date) bool { return !d.Before(from) && !d.After(to) }
		by := func(d civil.Date) bool { return !d.After(to) }
		var sales, received, tips, memos, owed, onAccount int64
		courtesy := map[string]bool{}
		for _, s := range m.sales {
			if strings.HasSuffix(s.text("Payer"), "(Patient Pre-Pay)") {
				courtesy[s.text("Invoice #")] = true
				continue
			}
			if in(s.date("Invoice Date")) {
				sales += s.number("Total")
			}
			if by(s.date("Invoice Date")) {
				owed += s.number("Total")
			}
		}
		for _, p := range m.transactions {
			if p.text("Type") == "Fee" {
				continue
			}
			if in(p.date("Date")) {
				received, tips = received+p.number("Amount"), tips+p.number("Tip")
			}
			if by(p.date("Date")) {
				onAccount += p.number("Amount") - p.number("Tip")
			}
		}
		for _, a := range m.applied {
			if a.text("Invoice #") != "" && by(a.date("Applied Date")) {
				owed, onAccount = owed-a.number("Applied Amount"), onAccount-a.number("Applied Amount")
			}
		}
		for _, a := range m.adjusted {
			on := a.date("Adjustment Date")
			if _, isWriteOff := a["Write Off Date"]; isWriteOff {
				on = a.date("Write Off Date")
			}
			amount := a.number("Adjustment Amount") + a.number("Amount Written Off")
			if in(on) {
				memos += amount
			}
			if by(on) {
				owed -= amount
			}
		}
		got := fmt.Sprint(r.number("Opening A/R"), r.number("Sales"), r.number("Transactions"), r.number("Opening Credits"), r.number("Closing Credits"),
			r.number("Credit Memos"), r.number("Tips"), r.number("Closing A/R"))
		want := fmt.Sprint(closing, sales, received, credits, onAccount, memos, tips, owed)
		if got != want {
			t.Errorf("%v to %v: the report says %s, the other reports %s", from, to, got, want)
		}
		if control := closing + sales - received + onAccount - credits - memos + tips; control != owed {
			t.Errorf("%v to %v: the control total is %d, receivables are %d", from, to, control, owed)
		}
		closing, credits = owed, onAccount
	}
	if next != c.ReportDate().AddDays(1) {
		t.Errorf("the months end before %v", next)
	}
	// And the report's last word is what the sales report shows as open.
	var open int64
	for _, s := range m.sales {
		if !strings.HasSuffix(s.text("Payer"), "(Patient Pre-Pay)") {
			open += s.number("Balance")
		}
	}
	if open != closing {
		t.Errorf("balances add up to %d, receivables are %d", open, closing)
	}
}

// Every way of money occurs.
func TestMoneyGoesEveryWay(t *testing.T) {
	listed := regexp.MustCompile(`, `)
	seen := map[string]int{}
	for seed := uint64(1); seed <= 4; seed++ {
		c := defaultClinic(t, seed)
		m := cashOf(t, c)
		for _, r := range m.transactions {
			seen[r.text("Type")]++
			seen[r.text("Payment Method")]++
			if r.number("Tip") > 0 {
				seen["tip"]++
			}
			if listed.MatchString(r.text("Applied To")) {
				seen["several invoices"]++
			}
		}
		for _, r := range m.applied {
			switch {
			case r.text("Invoice #") == "":
				seen["unapplied"]++
			case strings.HasSuffix(r.text("Invoice #"), "X"):
				seen["taken off a reversed invoice"]++
			case r.date("Applied Date").After(r.date("Payment Date")):
				seen["applied later"]++
			}
		}
		for _, r := range m.adjusted {
			if _, ok := r["Adjustment Type"]; ok {
				seen[r.text("Adjustment Type")]++
			} else {
				seen["write-off"]++
			}
		}
	}
	for _, kind := range []string{"Payment", "Refund", "Bounce", "Fee", "Cash", "Cheque", "EFT", "Gift Card", "tip", "several invoices", "unapplied", "applied later",
		"taken off a reversed invoice", "Credit memo", "Contractual reduction", "write-off"} {
		if seen[kind] < 10 {
			t.Errorf("%s occurs %d times in four clinics", kind, seen[kind])
		}
	}
}

// The report leaves out who is booked and who was discharged, and nobody else who has been seen.
func TestUnscheduledPatients(t *testing.T) {
	c := defaultClinic(t, 2)
	today := c.ReportDate()
	seen, ahead := map[string]civil.Date{}, map[string]bool{}
	for _, r := range records(t, c, Appointments) {
		on := civil.DateOf(r.at("start_at", c.Zone()))
		for _, guid := range r.list("patient_guid") {
			switch {
			case r.text("state") == "booked" && on.After(today):
				ahead[guid] = true
			case r.text("state") == "arrived" && on.After(seen[guid]):
				seen[guid] = on
			}
		}
	}
	listed := map[string]civil.Date{}
	for _, r := range records(t, c, Unscheduled) {
		guid := r.text("Patient Guid")
		if r.date("Last Visit").After(listed[guid]) {
			listed[guid] = r.date("Last Visit")
		}
	}
	discharged := 0
	for guid, last := range seen {
		switch on, isListed := listed[guid]; {
		case ahead[guid] && isListed:
			t.Errorf("%s is booked and listed", guid)
		case isListed && on != last:
			t.Errorf("%s was last seen on %v, listed with %v", guid, last, on)
		case !ahead[guid] && !isListed:
			discharged++
		}
		delete(listed, guid)
	}
	for guid := range listed {
		t.Errorf("%s is listed and was never seen", guid)
	}
	if discharged < 20 {
		t.Errorf("%d patients were discharged", discharged)
	}
}
