package normalise_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/normalise"
)

func TestMoney(t *testing.T) {
	good := map[string]int64{
		"1234.50": 123450, "$1,234.50": 123450, "(12.00)": -1200, "-12.00": -1200, "$0.00": 0, "0": 0, "12": 1200,
		"12.5": 1250, " 12.00 ": 1200, "($12.00)": -1200, "-$12.00": -1200, "$-12.00": -1200, "$ 12.00": 1200,
		"−12.00": -1200, "1,234,567.89": 123456789, "1,234": 123400, "CA$5.05": 505, "£7.10": 710, "€0.01": 1,
		"-0.00": 0, "(0.00)": 0, "0.07": 7, "0.7": 70, "007.00": 700, "10000000000.00": 1_000_000_000_000,
	}
	for cell, want := range good {
		if got, reason := normalise.Money([]byte(cell), false); got != want || reason != "" {
			t.Errorf("Money(%q) = %d, %s; want %d", cell, got, reason, want)
		}
	}
	bad := []string{
		"12,5o", "12,50", "1.234,50", "1.234", "12.345", "12.", ".50", "1,23", "12,3456", "1,2,3", ",123", "1,,234",
		"$", "-", "()", "(12.00", "12.00)", "(-12.00)", "--12", "$-", "12 00", "1 234.50", "12.00 CAD", "abc", "1e3", "NaN", "0x10",
		"१२", "1234,567", "10000000000.01", "99999999999999999999", "12.0O", "1,234.5,0", "12.-5", "$$5", "+5.00",
	}
	for _, cell := range bad {
		if got, reason := normalise.Money([]byte(cell), false); reason != normalise.BadMoney {
			t.Errorf("Money(%q) = %d, %q; want %s", cell, got, reason, normalise.BadMoney)
		}
	}
	for _, cell := range []string{"", "  ", "\t"} {
		if _, reason := normalise.Money([]byte(cell), false); reason != normalise.Missing {
			t.Errorf("Money(%q): %q, want %s", cell, reason, normalise.Missing)
		}
	}
}

func TestMoneyOfSpreadsheetNumbers(t *testing.T) {
	good := map[string]int64{
		"107.34999999999999": 10735, "0.30000000000000004": 30, "12": 1200, "-4.5": -450, "1.0E-2": 1, "1.5e3": 150000,
		"0.300000000000000": 30, "8.3699999999999992": 837, "-0": 0,
	}
	for cell, want := range good {
		if got, reason := normalise.Money([]byte(cell), true); got != want || reason != "" {
			t.Errorf("Money(%q) = %d, %s; want %d", cell, got, reason, want)
		}
	}
	for _, cell := range []string{"12.345", "0.001", "NaN", "Inf", "1e300", "12,5o", "$5"} {
		if got, reason := normalise.Money([]byte(cell), true); reason != normalise.BadMoney {
			t.Errorf("Money(%q) = %d, %q; want %s", cell, got, reason, normalise.BadMoney)
		}
	}
}

// FuzzMoney: what is accepted is exactly the decimal number that is left when signs and commas are taken off.
func FuzzMoney(f *testing.F) {
	for _, seed := range []string{"1234.50", "$1,234.50", "(12.00)", "-12.00", "12,5o", "1.234,50", "−0.5", "CA$7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		cents, reason := normalise.Money([]byte(cell), false)
		if reason != "" {
			if cents != 0 {
				t.Fatalf("%q is refused (%s) with a value", cell, reason)
			}
			return
		}
		bare := strings.NewReplacer(",", "", "$", "", "CA", "", "US", "", "AU", "", "NZ", "", "C", "", "A", "", "£", "", "€", "", "(", "", ")", "", "−", "", "-", "", " ", "").Replace(strings.TrimSpace(cell))
		want, ok := new(big.Rat).SetString(strings.TrimSpace(bare))
		if !ok {
			t.Fatalf("%q was read as %d", cell, cents)
		}
		want.Mul(want, big.NewRat(100, 1))
		if strings.ContainsAny(cell, "-(") || strings.Contains(cell, "−") {
			want.Neg(want)
		}
		if want.Cmp(big.NewRat(cents, 1)) != 0 {
			t.Fatalf("%q was read as %d, is %s", cell, cents, want)
		}
		if again, reason := normalise.Money(fmt.Appendf(nil, "%s%d.%02d", strings.Repeat("-", map[bool]int{true: 1}[cents < 0]), max(cents, -cents)/100, max(cents, -cents)%100), false); again != cents || reason != "" {
			t.Fatalf("%d printed and read again is %d, %s", cents, again, reason)
		}
	})
}

func TestHours(t *testing.T) {
	good := map[string]int64{
		"152.5": 9150, "0": 0, "7": 420, "7.25": 435, "1,152.5": 69150, "152:30": 9150, "0:05": 5,
		"0.33":   20, // 19.8 minutes
		"0.175":  11, // 10.5 minutes, half up
		"0.325":  20, // 19.5
		"0.008":  0,  // 0.48
		"0.009":  1,  // 0.54
		"7.9999": 480, "0.33333333333333331": 20, "7.5999999999999996": 456, "0.99999999999": 60,
	}
	for cell, want := range good {
		if got, reason := normalise.Hours([]byte(cell)); got != want || reason != "" {
			t.Errorf("Hours(%q) = %d, %s; want %d", cell, got, reason, want)
		}
	}
	for _, cell := range []string{"-1", "7,5", "1.5h", "1:60", "1:5", "1.5:00", ":30", "x", "1..5", "."} {
		if got, reason := normalise.Hours([]byte(cell)); reason != normalise.BadNumber {
			t.Errorf("Hours(%q) = %d, %q", cell, got, reason)
		}
	}
	if _, reason := normalise.Hours(nil); reason != normalise.Missing {
		t.Errorf("blank hours: %q", reason)
	}
}

func TestCount(t *testing.T) {
	for cell, want := range map[string]int32{"0": 0, "12": 12, "12.0": 12, "1,200": 1200, "2147483647": 2147483647} {
		if got, reason := normalise.Count([]byte(cell)); got != want || reason != "" {
			t.Errorf("Count(%q) = %d, %s", cell, got, reason)
		}
	}
	for _, cell := range []string{"-1", "1.5", "x", "2147483648", "1e3"} {
		if got, reason := normalise.Count([]byte(cell)); reason != normalise.BadNumber {
			t.Errorf("Count(%q) = %d, %q", cell, got, reason)
		}
	}
}
