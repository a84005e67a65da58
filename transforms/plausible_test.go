package transforms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
)

// lines are forty invoice lines of 100.00 with tax 13.00, of which every fifth is open and every eighth was paid too much.
func lines(header string, row func(total, collected, balance string) string) string {
	var out strings.Builder
	out.WriteString(header)
	for i := range 40 {
		collected, balance, status := "113.00", "0.00", "paid"
		switch {
		case i%5 == 0:
			collected, balance, status = "0.00", "113.00", "unpaid"
		case i%8 == 1:
			collected = "120.00"
		}
		fmt.Fprintf(&out, "Main,2026-03-02,2026-03-02,%08d-1d2e-4f50-8a1b-0c2d3e4f5a6b,A Person,Massage 60 min,Robin Vale,A Person,%d-P01,Massage,,%s,100.00,13.00,%s\n",
			i, 1000+i, status, row("113.00", collected, balance))
	}
	return out.String()
}

// TestOverpaidInvoicesAreTaken: people pay too much, and no file is refused for it; one whose amounts have changed places is.
func TestOverpaidInvoicesAreTaken(t *testing.T) {
	b, err := read(t, lines(salesHeader, func(total, collected, balance string) string { return total + "," + collected + "," + balance }))
	if err != nil || len(b.InvoiceLines) != 40 {
		t.Fatalf("overpaid lines are refused: %v", err)
	}
	_, err = read(t, lines(salesHeader, func(total, collected, balance string) string { return collected + "," + total + "," + balance }))
	if err == nil || !strings.Contains(err.Error(), "cannot be what the header calls it") {
		t.Errorf("total and collected have changed places, and the file is read: %v", err)
	}
}

// refusals reads a file as a clinic has it and as it is when two columns have changed names, and says which check refuses
// the second.
func refusals(t *testing.T, header, rows, one, other string) (honest, swapped error) {
	t.Helper()
	_, honest = read(t, header+rows)
	names := strings.Split(strings.TrimSpace(header), ",")
	for i, name := range names {
		switch name {
		case one:
			names[i] = other
		case other:
			names[i] = one
		}
	}
	_, swapped = read(t, strings.Join(names, ",")+"\n"+rows)
	return honest, swapped
}

// TestHonestFilesAreTaken: what clinics do is no reason to refuse a file; the same file with two names exchanged is.
func TestHonestFilesAreTaken(t *testing.T) {
	guid := func(i int) string { return fmt.Sprintf("%08d-1d2e-4f50-8a1b-0c2d3e4f5a6b", i) }
	sale := func(i int, purchase, invoice, item, category, total string) string {
		return fmt.Sprintf("Main,%s,%s,%s,A Person,%s,Robin Vale,A Person,%d-P01,%s,,paid,%s,0.00,%s,%s,0.00\n",
			purchase, invoice, guid(i), item, 1000+i, category, total, total, total)
	}
	pay := func(i int, received, settled, method, tip string) string {
		return fmt.Sprintf("%d,Payment,%s,%s,%s,A Person,A Person,%s,%d-P01,100.00,%s,97.00\n", 50+i, received, settled, guid(i), method, 1000+i, tip)
	}
	every := func(row func(i int) string) string {
		var out strings.Builder
		for i := range 40 {
			out.WriteString(row(i))
		}
		return out.String()
	}
	for _, test := range []struct {
		name, header, rows string
		// one and other are the columns that are exchanged, which the check of that name must see.
		one, other, check string
	}{
		{"paid when booked", salesHeader, every(func(i int) string {
			// Booked in a row, for visits that are not.
			return sale(i, fmt.Sprintf("2026-03-%02d", 10+(i*7)%20), fmt.Sprintf("2026-02-%02d", 1+i/2), "Massage 60 min", "Massage", "100.00")
		}), "Purchase Date", "Invoice Date", ""},
		{"invoiced late", salesHeader, every(func(i int) string {
			return sale(i, fmt.Sprintf("2026-03-%02d", 1+(i*7)%20), fmt.Sprintf("2026-04-%02d", 1+i/2), "Massage 60 min", "Massage", "100.00")
		}), "Purchase Date", "Invoice Date", "invoice_lines.purchase_date-invoice_date"},
		{"a category called like its item, and many without one", salesHeader, every(func(i int) string {
			return sale(i, "2026-03-02", "2026-03-02", "Massage 60 min", []string{"Massage 60 min", ""}[i%2], "100.00")
		}), "", "", ""},
		{"nothing costs anything", salesHeader, every(func(i int) string {
			return sale(i, "2026-03-02", "2026-03-02", "Massage 60 min", "Massage", "0.00")
		}), "", "", ""},
		{"names written small", salesHeader, every(func(i int) string {
			return sale(i, "2026-03-02", "2026-03-02", []string{"massage", "physio"}[i%2], "care", "100.00")
		}), "", "", ""},
		{"credits and refunds", salesHeader, every(func(i int) string {
			return sale(i, "2026-03-02", "2026-03-02", "Massage 60 min", "Massage", []string{"-100.00", "100.00"}[i%2])
		}), "", "", ""},
		{"payments by means of their own", paymentsHeader, every(func(i int) string {
			return pay(i, fmt.Sprintf("2026-03-0%d", 1+i%5), fmt.Sprintf("2026-03-0%d", 2+i%5), fmt.Sprintf("Our Own Terminal %d", i%4), "0.00")
		}), "Date", "Processing Date", "payments.date-processing_date"},
		{"cards cost something", paymentsHeader, every(func(i int) string {
			return pay(i, "2026-03-02", "2026-03-03", "Visa", "0.00")
		}), "Amount", "Amount Paid to Clinic", "payments.amount-amount_paid_to_clinic"},
		{"tips", paymentsHeader, every(func(i int) string {
			tip := []string{"10.00", "0.00", "100.00"}[i%3] // one in three is nothing but a tip
			return pay(i, "2026-03-02", "2026-03-03", "Visa", tip)
		}), "Amount", "Tip", "payments.amount-tip"},
	} {
		t.Run(test.name, func(t *testing.T) {
			honest, swapped := refusals(t, test.header, test.rows, test.one, test.other)
			if honest != nil {
				t.Errorf("refused: %v", honest)
			}
			if test.check != "" && (swapped == nil || !strings.Contains(swapped.Error(), "checks_off: ["+test.check+"]")) {
				t.Errorf("with %s and %s exchanged: %v", test.one, test.other, swapped)
			}
		})
	}
}

// TestBroughtHistoryIsTaken: appointments that were brought along from another program were all booked on the day on which
// that was done. That people mostly arrive before they have booked is another thing.
func TestBroughtHistoryIsTaken(t *testing.T) {
	file := func(booked func(i int) string) string {
		var out strings.Builder
		out.WriteString(appointmentsHeader)
		for i := range 40 {
			day := fmt.Sprintf("2026-03-%02d", 1+i/2)
			fmt.Fprintf(&out, "%d,Main,%s 09:00:00 -0400,%s 09:45:00 -0400,%08d-1d2e-4f50-8a1b-0c2d3e4f5a6b,,Massage,Robin Vale,arrived,no,%s,%s 08:58:00 -0400,no,,,\n",
				100+i, day, day, i, booked(i), day)
		}
		return out.String()
	}
	if b, err := read(t, file(func(int) string { return "2026-05-01 09:00:00 -0400" })); err != nil || len(b.Appointments) != 40 {
		t.Errorf("refused: %v", err)
	}
	_, err := read(t, file(func(i int) string { return fmt.Sprintf("2026-03-%02d 09:00:00 -0400", 5+i/2) }))
	if err == nil || !strings.Contains(err.Error(), "checks_off: [appointments.booked_at-arrived_at]") {
		t.Errorf("everybody arrived days before booking, and the file is read: %v", err)
	}
}

// TestCheckCanBeSwitchedOff: a refusal names its check, and that name in clinic.yaml has the file read; another check still
// refuses.
func TestCheckCanBeSwitchedOff(t *testing.T) {
	body := lines(salesHeader, func(total, collected, balance string) string { return collected + "," + total + "," + balance })
	off := func(names ...string) error {
		_, err := transformer(t, func(o *transforms.Options) { o.Settings.ChecksOff = names }).
			Read(t.Context(), extractors.Report{Name: "report.csv", Body: []byte(body), StatedRows: -1})
		return err
	}
	var names []string
	for range 5 { // each refusal says what to switch off, until none is left
		err := off(names...)
		if err == nil {
			break
		}
		_, after, found := strings.Cut(err.Error(), "checks_off: [")
		name, _, _ := strings.Cut(after, "]")
		if !found {
			t.Fatalf("the refusal names no check: %v", err)
		}
		names = append(names, name)
	}
	if err := off(names...); err != nil || len(names) == 0 {
		t.Errorf("with %q switched off: %v", names, err)
	}
	if err := off("claims.claimed"); err == nil {
		t.Error("another check was switched off, and the file is read")
	}
}
