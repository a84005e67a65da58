package pipeline

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// world is what a simulated clinic's portal shows on a night: a few visits, invoices, claims and policies.
type world struct {
	visits   []simVisit
	invoices []simInvoice
	policies int
	hours    int
}

type simVisit struct {
	id    int
	day   civil.Date
	state string
	who   int
}

type simInvoice struct {
	number  string
	day     civil.Date
	who     int
	cents   int64
	balance int64
	folder  string
}

// simFirst is the first day of the simulated clinic's history, simLast is D of the first night.
var (
	simFirst = civil.Date{Year: 2025, Month: time.November, Day: 3}
	simLast  = civil.Date{Year: 2026, Month: time.March, Day: 10}
)

// newWorld is the world of the first night.
func newWorld(r *rand.Rand) *world {
	w := &world{policies: 3 + r.IntN(3), hours: 100}
	for i := range 60 {
		day := simFirst.AddDays(r.IntN(simLast.DaysSince(simFirst) + 20))
		state := "arrived"
		if day.After(simLast) {
			state = "booked"
		}
		w.visits = append(w.visits, simVisit{id: 100 + i, day: day, state: state, who: r.IntN(9)})
		if state == "arrived" {
			v := simInvoice{number: fmt.Sprintf("%d-P01", 1000+i), day: day, who: r.IntN(9), cents: int64(5000 + 100*r.IntN(40))}
			if r.IntN(3) == 0 {
				v.number, v.folder = fmt.Sprintf("%d-C01", 1000+i), "Submitted"
			}
			if r.IntN(3) == 0 || v.folder != "" {
				v.balance = v.cents
			}
			w.invoices = append(w.invoices, v)
		}
	}
	return w
}

// tomorrow is the world a night later: rows went, were renumbered, reversed, paid, moved and made.
func (w *world) tomorrow(r *rand.Rand, day civil.Date) *world {
	next := &world{policies: w.policies, hours: w.hours + r.IntN(3)}
	for _, v := range w.visits {
		switch n := r.IntN(40); {
		case n == 0: // deleted
			continue
		case n == 1:
			v.day = v.day.AddDays(r.IntN(9) - 4)
		case n == 2:
			v.state = "cancelled"
		case v.day == day && v.state == "booked":
			v.state = "arrived"
		}
		next.visits = append(next.visits, v)
	}
	for _, v := range w.invoices {
		reversal := v.number[len(v.number)-1] == 'X'
		switch n := r.IntN(30); {
		case reversal:
		case n == 0: // deleted
			continue
		case n == 1: // edited: the invoice is replaced by another number
			v.number = v.number[:len(v.number)-1] + "2"
		case n == 2: // reversed: the original stays
			back := v
			back.number, back.cents, back.balance, back.folder = v.number+"X", -v.cents, -v.balance, ""
			next.invoices = append(next.invoices, back)
		case n < 5:
			v.balance = 0
			if v.folder != "" {
				v.folder = "Approved"
			}
		}
		next.invoices = append(next.invoices, v)
	}
	next.visits = append(next.visits, simVisit{id: 500 + day.DaysSince(simFirst), day: day, state: "arrived", who: r.IntN(9)})
	return next
}

// simKinds are the reports that the simulated portal offers.
func simKinds() []extractors.ReportKind {
	return []extractors.ReportKind{
		{Name: "appointments", Dataset: contract.Appointments, Period: extractors.BookingsAhead},
		{Name: "sales", Dataset: contract.InvoiceLines, Period: extractors.WholeWindow, MaxDays: 31},
		{Name: "claims", Dataset: contract.Claims, Period: extractors.WholeWindow},
		{Name: "insurance_policies", Dataset: contract.Policies, Period: extractors.AsOf},
		{Name: "shift", Dataset: contract.Shifts, Period: extractors.EachMonth},
	}
}

// report prints one export.
func (w *world) report(o extractors.Order, observedOn civil.Date) extractors.Report {
	var rows [][]string
	guid := func(n int) string { return fmt.Sprintf("11111111-0000-4000-8000-0000000000%02d", n) }
	money := func(cents int64) string {
		sign := ""
		if cents < 0 {
			sign, cents = "-", -cents
		}
		return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
	}
	switch o.Report {
	case "appointments":
		rows = [][]string{{
			"id", "patient_guid", "location_name", "staff_member_name", "treatment_name", "state", "start_at", "end_at", "booked_at", "arrived_at", "cancelled_at",
		}}
		for _, v := range w.visits {
			if !o.Window.Contains(v.day) {
				continue
			}
			arrived, cancelled := "", ""
			if v.state == "arrived" {
				arrived = v.day.String() + " 15:00:00 UTC"
			}
			if v.state == "cancelled" {
				cancelled = "2025-10-01 12:00:00 UTC"
			}
			rows = append(rows, []string{
				strconv.Itoa(v.id), guid(v.who), "Main", "A. Moreau", "Physio Visit", v.state,
				v.day.String() + " 15:00:00 UTC", v.day.String() + " 15:45:00 UTC", "2025-10-01 12:00:00 UTC", arrived, cancelled,
			})
		}
	case "sales":
		rows = [][]string{{
			"Invoice #", "Item", "Purchase Date", "Invoice Date", "Patient Guid", "Staff Member", "Location", "Payer", "Income Category",
			"Status", "Subtotal", "HST", "Total", "Collected", "Balance",
		}}
		for _, v := range w.invoices {
			if !o.Window.Contains(v.day) {
				continue
			}
			status := "paid"
			if v.balance != 0 {
				status = "unpaid"
			}
			rows = append(rows, []string{
				v.number, "Physio Visit", v.day.String(), v.day.String(), guid(v.who), "A. Moreau", "Main", "Blue Shield",
				"Physiotherapy", status, money(v.cents), "0.00", money(v.cents), money(v.cents - v.balance), money(v.balance),
			})
		}
	case "claims":
		rows = [][]string{{"Claim Id", "Invoice #", "Patient Guid", "Insurer", "Service Date", "Folder", "Submitted Date", "Response Date"}}
		for _, v := range w.invoices {
			if v.folder != "" && o.Window.Contains(v.day) {
				answered := ""
				if v.folder == "Approved" {
					answered = v.day.String()
				}
				rows = append(rows, []string{
					"9" + v.number[:4] + v.number[len(v.number)-1:], v.number, guid(v.who), "Blue Shield", v.day.String(), v.folder, v.day.String(), answered,
				})
			}
		}
	case "insurance_policies":
		rows = [][]string{{"Patient Guid", "Insurer(s)", "Policy #", "Status", "End Date"}}
		for n := range w.policies {
			rows = append(rows, []string{guid(n), "Blue Shield", fmt.Sprintf("pol-%d", n), "Open", "2027-01-01"})
		}
	case "shift":
		rows = [][]string{
			{"Staff Name", "Shift Total Hours", "Break Total Hours", "Appointment Total Hours", "Appointment Total Count"},
			{"A. Moreau", strconv.Itoa(w.hours), "4", "60", "80"},
		}
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		panic(err)
	}
	return extractors.Report{
		Name: o.Report + ".csv", Body: out.Bytes(), Dataset: o.Dataset, Range: o.Window, Complete: true,
		ObservedOn: observedOn, StatedRows: len(rows) - 1, Order: o.ID(),
	}
}
