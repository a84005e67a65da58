package normalise_test

import (
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

func TestEnumerations(t *testing.T) {
	type reader func([]byte) (string, normalise.Reason)
	tests := []struct {
		name       string
		read       reader
		cell, want string
		reason     normalise.Reason
	}{
		{"state", normalise.State, "booked", "booked", ""},
		{"state", normalise.State, "No Show", "no_show", ""},
		{"state", normalise.State, "no-show", "no_show", ""},
		{"state", normalise.State, "NO_SHOW ", "no_show", ""},
		{"state", normalise.State, "noshow", "no_show", ""},
		{"state", normalise.State, "Arrived", "arrived", ""},
		{"state", normalise.State, "Cancelled", "cancelled", ""},
		{"state", normalise.State, "canceled", "cancelled", ""},
		{"state", normalise.State, "Never Booked", "never_booked", ""},
		{"state", normalise.State, "rescheduled", "rescheduled", ""},
		{"state", normalise.State, "Archived", "archived", ""},
		{"state", normalise.State, "confirmed", "", normalise.UnknownState},
		{"state", normalise.State, "arrived" + strings.Repeat("!", 100), "arrived", ""},
		{"state", normalise.State, strings.Repeat("x", 100), "", normalise.UnknownState},
		{"state", normalise.State, " ", "", normalise.Missing},
		{"folder", normalise.Folder, "Response Received", "response_received", ""},
		{"folder", normalise.Folder, "Waiting on Primary", "waiting_on_primary", ""},
		{"folder", normalise.Folder, "On Hold", "on_hold", ""},
		{"folder", normalise.Folder, "Denied", "", normalise.UnknownFolder},
		{"policy", normalise.PolicyStatus, "Awaiting Review", "awaiting_review", ""},
		{"policy", normalise.PolicyStatus, "Open", "open", ""},
		{"policy", normalise.PolicyStatus, "Lapsed", "", normalise.UnknownStatus},
		{"line", normalise.LineStatus, "Partially Paid", "partially_paid", ""},
		{"line", normalise.LineStatus, "no_charge", "no_charge", ""},
		{"line", normalise.LineStatus, "Written Off", "other", ""},
		{"line", normalise.LineStatus, "", "", normalise.Missing},
		{"reason", normalise.CancelledReason, "Patient is sick", contract.ReasonIllness, ""},
		{"reason", normalise.CancelledReason, "Practitioner sick", contract.ReasonClinic, ""},
		{"reason", normalise.CancelledReason, "will not come", contract.ReasonOther, ""},
		{"reason", normalise.CancelledReason, "Work conflict!", contract.ReasonSchedule, ""},
		{"reason", normalise.CancelledReason, "SNOWSTORM", contract.ReasonWeather, ""},
		{"reason", normalise.CancelledReason, "can't afford it", contract.ReasonMoney, ""},
		{"reason", normalise.CancelledReason, "I forgot", contract.ReasonForgot, ""},
		{"reason", normalise.CancelledReason, "stuck in traffic", contract.ReasonTransport, ""},
		{"reason", normalise.CancelledReason, "?", contract.ReasonOther, ""},
		{"reason", normalise.CancelledReason, "", "", normalise.Missing},
	}
	for _, test := range tests {
		if got, reason := test.read([]byte(test.cell)); got != test.want || reason != test.reason {
			t.Errorf("%s %.20q: %q %q, want %q %q", test.name, test.cell, got, reason, test.want, test.reason)
		}
	}
}

func TestBool(t *testing.T) {
	for cell, want := range map[string]bool{"true": true, "Yes": true, "1": true, "y": true, "T": true, "false": false, "no": false, "0": false, "N": false} {
		if got, reason := normalise.Bool([]byte(cell)); got != want || reason != "" {
			t.Errorf("Bool(%q) = %v %s", cell, got, reason)
		}
	}
	if _, reason := normalise.Bool([]byte("maybe")); reason != normalise.BadBoolean {
		t.Errorf("maybe: %q", reason)
	}
	if _, reason := normalise.Bool([]byte("")); reason != normalise.Missing {
		t.Errorf("blank: %q", reason)
	}
}

func TestName(t *testing.T) {
	for cell, want := range map[string]string{
		"Sun Life": "Sun Life", "  Sun   Life ": "Sun Life", "Massothe\u0301rapie": "Massothérapie", "A\u00a0B": "A B",
		"Massage\n60 min": "Massage 60 min",
	} {
		if got, reason := normalise.Name([]byte(cell)); string(got) != want || reason != "" {
			t.Errorf("Name(%q) = %q %s", cell, got, reason)
		}
	}
	for _, cell := range []string{"Massoth\xe9rapie", "a\x01b", strings.Repeat("x", 121), strings.Repeat("é ", 80), "a\ufffdb"} {
		if got, reason := normalise.Name([]byte(cell)); reason != normalise.BadText {
			t.Errorf("Name(%q) = %q %q", cell, got, reason)
		}
	}
	if _, reason := normalise.Name([]byte(" ")); reason != normalise.Missing {
		t.Errorf("blank: %q", reason)
	}
	if normalise.NameKey("Sun LIFE") != normalise.NameKey("sun life") {
		t.Error("case makes two names of one")
	}
}

func TestPayer(t *testing.T) {
	tests := []struct {
		name, bare string
		prepay     bool
	}{
		{"Sun Life", "Sun Life", false},
		{"Sun Life (Patient Pre-Pay)", "Sun Life", true},
		{"Sun Life (patient pre-pay)", "Sun Life", true},
		{"Sun Life(Patient Pre-Pay)", "Sun Life", true},
		{"Sun Life (Patient Pre-Pay) Ltd", "Sun Life (Patient Pre-Pay) Ltd", false},
		{"(Patient Pre-Pay)", "", true},
	}
	for _, test := range tests {
		if bare, prepay := normalise.Payer([]byte(test.name)); string(bare) != test.bare || prepay != test.prepay {
			t.Errorf("Payer(%q) = %q, %v", test.name, bare, prepay)
		}
	}
}

func TestInvoiceNumber(t *testing.T) {
	tests := []struct {
		cell, base, side string
		sequence         int32
		reversal         bool
	}{
		{"1531-P01", "1531", "P", 1, false},
		{"1531-C02", "1531", "C", 2, false},
		{"1531-P02X", "1531", "P", 2, true},
		{" 1531-p1x ", "1531", "P", 1, true},
		{"1531", "1531", "", 0, false},
		{"INV-1531", "INV-1531", "", 0, false},
		{"2026-0001-P10", "2026-0001", "P", 10, false},
		{"1531-P", "1531-P", "", 0, false},
		{"1531-R01", "1531-R01", "", 0, false},
	}
	for _, test := range tests {
		inv, reason := normalise.InvoiceNumber([]byte(test.cell))
		if reason != "" || string(inv.Number) != strings.TrimSpace(test.cell) || string(inv.Base) != test.base || inv.Side != test.side ||
			inv.Sequence != test.sequence || inv.Reversal != test.reversal {
			t.Errorf("InvoiceNumber(%q) = %+v %s", test.cell, inv, reason)
		}
	}
	for _, cell := range []string{"Smith", "-P01", "Jane Smith 3", "15;31-P01", "1531-P01\x00", strings.Repeat("1", 41), "É1"} {
		if inv, reason := normalise.InvoiceNumber([]byte(cell)); reason != normalise.BadInvoice {
			t.Errorf("InvoiceNumber(%q) = %+v %q", cell, inv, reason)
		}
	}
	if _, reason := normalise.InvoiceNumber(nil); reason != normalise.Missing {
		t.Errorf("blank: %q", reason)
	}
}

// FuzzInvoiceNumber: the parts put together give the number again, and nothing with a space in it is one.
func FuzzInvoiceNumber(f *testing.F) {
	for _, seed := range []string{"1531-P01", "1531-C02X", "1531", "INV-7", "Smith", "-P01", "1-PX"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		inv, reason := normalise.InvoiceNumber([]byte(cell))
		if reason != "" {
			return
		}
		number := strings.TrimSpace(cell)
		if string(inv.Number) != number || !strings.HasPrefix(number, string(inv.Base)) || strings.ContainsAny(number, " \t\n\"';") || len(inv.Base) == 0 {
			t.Fatalf("%q: %+v", cell, inv)
		}
		rest := strings.ToUpper(strings.TrimPrefix(number, string(inv.Base)))
		if inv.Side == "" {
			if rest != "" || inv.Sequence != 0 || inv.Reversal {
				t.Fatalf("%q: %+v", cell, inv)
			}
			return
		}
		if !strings.HasPrefix(rest, "-"+inv.Side) || strings.HasSuffix(rest, "X") != inv.Reversal {
			t.Fatalf("%q: %+v", cell, inv)
		}
	})
}

func TestIdentifiers(t *testing.T) {
	for cell, want := range map[string]string{
		"9F8B3C2A-1d2e-4f50-8a1b-0c2d3e4f5a6b": "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b",
		"AbC123":                               "AbC123", // no GUID: case may matter
		" x ":                                  "x",
	} {
		if got, reason := normalise.Identifier([]byte(cell)); string(got) != want || reason != "" {
			t.Errorf("Identifier(%q) = %q %s", cell, got, reason)
		}
	}
	for _, cell := range []string{"two words", "a;b", strings.Repeat("x", 81)} {
		if _, reason := normalise.Identifier([]byte(cell)); reason != normalise.BadID {
			t.Errorf("Identifier(%q): %q", cell, reason)
		}
	}
	if got, reason := normalise.PolicyNumber([]byte(" ab 12-c ")); string(got) != "AB12-C" || reason != "" {
		t.Errorf("PolicyNumber: %q %s", got, reason)
	}
	for cell, want := range map[string]int64{"1": 1, "0042": 42, "9223372036854775799": 9223372036854775799} {
		if got, reason := normalise.PositiveID([]byte(cell)); got != want || reason != "" {
			t.Errorf("PositiveID(%q) = %d %s", cell, got, reason)
		}
	}
	for _, cell := range []string{"0", "-1", "1.0", "x", "92233720368547758070"} {
		if _, reason := normalise.PositiveID([]byte(cell)); reason != normalise.BadID {
			t.Errorf("PositiveID(%q): %q", cell, reason)
		}
	}
}

func TestEveryReasonIsExplained(t *testing.T) {
	for _, r := range normalise.Reasons() {
		if r.Explain() == "" {
			t.Errorf("%s has no explanation", r)
		}
	}
}

func BenchmarkReaders(b *testing.B) {
	c := clock(b, "America/Toronto")
	for b.Loop() {
		_, _ = normalise.Money([]byte("$1,234.50"), false)
		_, _ = c.Instant([]byte("2026-09-01 08:30:00 -0700"))
		_, _ = c.Instant([]byte("2026-09-01 08:30:00"))
		_, _ = c.Day([]byte("Sep 1, 2026"))
		_, _ = normalise.InvoiceNumber([]byte("1531-P01"))
		_, _ = normalise.State([]byte("No Show"))
	}
	b.ReportAllocs()
}
