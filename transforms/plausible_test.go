package transforms_test

import (
	"fmt"
	"strings"
	"testing"
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
