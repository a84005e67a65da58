package normalise_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// Every way of writing a number that somebody, somewhere, takes for granted: read where it can mean one thing, refused where it
// can mean two, whoever reads it.
func TestNumbersOfAllLands(t *testing.T) {
	money := map[string]struct {
		cents int64
		ok    bool
	}{
		"1,234.56": {123456, true}, "1234.56": {123456, true}, "-1,234.56": {-123456, true}, "(1,234.56)": {-123456, true},
		"−12": {-1200, true}, "-12": {-1200, true}, "(12.00)": {-1200, true}, "$12": {1200, true}, "12.5": {1250, true},
		"\u00a012.00\u00a0": {1200, true}, // blanks around it that do not break
		"1.234,56":          {}, "1 234,56": {}, "1\u00a0234,56": {}, "1\u202f234,56": {}, "1’234.56": {}, "1'234.56": {}, "1_234.56": {},
		"12-": {}, "12.00-": {}, "- 12": {}, "+12": {}, "--12": {}, "-(12)": {}, "((12))": {}, "12,00": {}, "12,5": {}, "0,99": {}, "1,23,456.00": {}, // India
		"１２．００": {}, "１２": {}, "١٢٫٥٠": {}, "١٢": {}, "१२": {}, "\u4e00\u4e8c": {}, "Ⅻ": {}, "½": {}, "1²": {},
		"1.2.3": {}, "1,234.567": {}, "1e2": {}, "0x1F": {}, "1/2": {}, "12%": {}, "12 CAD": {}, "CAD 12": {}, "12$": {}, "12,-": {}, "1,234,": {},
		"\u200e12": {}, "12\u202c": {}, "\ufeff12": {}, "=1+1": {}, "@SUM(1)": {}, "#REF!": {}, "#N/A": {}, "null": {}, "NaN": {}, "-": {}, "–12": {}, "nil": {},
	}
	for cell, want := range money {
		cents, reason := normalise.Money([]byte(cell), false)
		switch {
		case want.ok && (reason != "" || cents != want.cents):
			t.Errorf("Money(%q) = %d, %s; want %d", cell, cents, reason, want.cents)
		case !want.ok && (reason != normalise.BadMoney || cents != 0):
			t.Errorf("Money(%q) = %d, %q; want it refused", cell, cents, reason)
		}
	}
	for _, cell := range []string{"１２", "١٢", "1 234", "1.234,5", "-3", "+3", "3-", "3,5", "\u200e3", "3h", "½", "=3", "1e3", "0x3"} {
		if n, reason := normalise.Count([]byte(cell)); reason != normalise.BadNumber || n != 0 {
			t.Errorf("Count(%q) = %d, %q", cell, n, reason)
		}
		if n, reason := normalise.PositiveID([]byte(cell)); reason != normalise.BadID || n != 0 {
			t.Errorf("PositiveID(%q) = %d, %q", cell, n, reason)
		}
		if n, reason := normalise.Hours([]byte(cell)); reason != normalise.BadNumber || n != 0 {
			t.Errorf("Hours(%q) = %d, %q", cell, n, reason)
		}
	}
}

// A day is read where its parts can be told from each other by how they are written. Where day and month can be swapped it is
// refused, also where one of them is above 12: a column in which some rows are read and the others mean something else would be
// worse than none.
func TestDaysOfAllLands(t *testing.T) {
	c := clock(t, "America/Toronto")
	for cell, want := range map[string]string{
		"2026-04-03": "2026-04-03", "2026/04/03": "2026-04-03", "Apr 3, 2026": "2026-04-03", "3 April 2026": "2026-04-03", "3 Apr, 2026": "2026-04-03",
		"2024-02-29": "2024-02-29", "2000-02-29": "2000-02-29", "Feb 29, 2024": "2024-02-29", "1900-01-01": "1900-01-01", "1900-02-28": "1900-02-28",
		"10000": "1927-05-18", "2958465": "9999-12-31", "45351": "2024-02-29",
	} {
		day, reason := c.Day([]byte(cell))
		if got := contract.DateOf(day).String(); reason != "" || got != want {
			t.Errorf("Day(%q) = %s, %s; want %s", cell, got, reason, want)
		}
	}
	for cell, want := range map[string]normalise.Reason{
		"03/04/2026": normalise.AmbiguousDate, "13/04/2026": normalise.AmbiguousDate, "04/13/2026": normalise.AmbiguousDate, "3.4.2026": normalise.AmbiguousDate,
		"03-04-2026": normalise.AmbiguousDate, "3/4/26": normalise.AmbiguousDate, "26-04-03": normalise.AmbiguousDate, "03.04.26": normalise.AmbiguousDate,
		"03/04/2026 10:00": normalise.AmbiguousDate,
		"2023-02-29":       normalise.BadDate, "1900-02-29": normalise.BadDate, "2100-02-29": normalise.BadDate, "2026-04-31": normalise.BadDate, "2026-00-10": normalise.BadDate,
		"2026-10-00": normalise.BadDate, "0000-01-01": normalise.BadDate, "0000-00-00": normalise.BadDate, "1899-12-31": normalise.BadDate, "1800-06-01": normalise.BadDate,
		"-2026-04-03": normalise.BadDate, "+2026-04-03": normalise.BadDate, "12026-04-03": normalise.BadDate, "2026-93": normalise.BadDate, "2026-W14-5": normalise.BadDate,
		"20260403": normalise.BadDate, "2026 04 03": normalise.BadDate, "2026.04.03": normalise.BadDate, "2026-04/03": normalise.BadDate, "3 avril 2026": normalise.BadDate,
		"3. April 2026": normalise.BadDate, "2026\u5e744\u67083\u65e5": normalise.BadDate, "Friday, April 3, 2026": normalise.BadDate, "\u4e8c\u3007\u4e8c\u516d": normalise.BadDate,
		"２０２６-04-03": normalise.BadDate, "٢٠٢٦-٠٤-٠٣": normalise.BadDate, "0": normalise.BadDate, "1": normalise.BadDate, "60": normalise.BadDate, "61": normalise.BadDate,
		"9999": normalise.BadDate, "2958466": normalise.BadDate, "-1": normalise.BadDate, "today": normalise.BadDate, "=TODAY()": normalise.BadDate, "#VALUE!": normalise.BadDate,
		"\u200e2026-04-03": normalise.BadDate, "2026-04-03 24:00:00": normalise.BadDate, "2026-04-03T": normalise.BadDate,
	} {
		if day, reason := c.Day([]byte(cell)); reason != want || day != 0 {
			t.Errorf("Day(%q) = %d, %q; want %s", cell, day, reason, want)
		}
	}
	// A workbook that counts from 1904 has the same days 1462 numbers earlier.
	c.Date1904 = true
	for cell, want := range map[string]string{"10000": "1931-05-19", "43889": "2024-02-29"} {
		if day, reason := c.Day([]byte(cell)); reason != "" || contract.DateOf(day).String() != want {
			t.Errorf("from 1904: Day(%q) = %s, %s; want %s", cell, contract.DateOf(day), reason, want)
		}
	}
}

func TestTimesAtTheEdges(t *testing.T) {
	for cell, want := range map[string]string{
		"2026-03-08 01:59:59": "2026-03-08T06:59:59Z", // the last second before Toronto's clocks jump
		"2026-03-08 02:00:00": "2026-03-08T07:00:00Z", // not on any clock: an hour later it is
		"2026-03-08 02:59:59": "2026-03-08T07:59:59Z",
		"2026-11-01 01:59:59": "2026-11-01T05:59:59Z", // the first pass
		"2026-11-01 02:00:00": "2026-11-01T07:00:00Z",
		"2024-02-29 23:59:59": "2024-03-01T04:59:59Z",
		"2026-12-31 23:59:59": "2027-01-01T04:59:59Z",
		"2026-01-01 00:00":    "2026-01-01T05:00:00Z",
	} {
		micros, reason := clock(t, "America/Toronto").Instant([]byte(cell))
		if got := time.UnixMicro(micros).UTC().Format(time.RFC3339); reason != "" || got != want {
			t.Errorf("Instant(%q) = %s, %s; want %s", cell, got, reason, want)
		}
	}
	for _, cell := range []string{"2026-09-01 24:00", "2026-09-01 24:00:00", "2026-09-01 23:59:60", "2026-09-01 8:30", "2026-09-01 08:30 AM", "2026-09-01 08h30", "2026-09-01 08.30",
		"2026-09-01 ０８:30", "2026-09-01 08:30:00 EST", "2026-09-01 08:30:00 -24:00", "2026-02-29 08:30:00", "0000-01-01 00:00:00", "1899-12-30 00:00:00"} {
		if micros, reason := clock(t, "America/Toronto").Instant([]byte(cell)); reason != normalise.BadInstant || micros != 0 {
			t.Errorf("Instant(%q) = %d, %q", cell, micros, reason)
		}
	}
}

// Names: what is not to be seen goes, what is no text is refused, the rest stays what it was.
func TestNamesOfAllSorts(t *testing.T) {
	const mark, override, isolate = "\u200f", "\u202e", "\u2067"
	for cell, want := range map[string]string{
		"=HYPERLINK(\"http://x\",\"y\")": "=HYPERLINK(\"http://x\",\"y\")", "+1": "+1", "@x": "@x", "＝1": "＝1",
		"Robin" + override + "elaV": "RobinelaV", mark + "ד״ר כהן" + mark: "ד״ר כהן", isolate + "علي\u2069": "علي", "soft\u00adhyphen": "softhyphen", "\ufeffRobin": "Robin", "zero\u200bwidth": "zerowidth",
		"می\u200cخواهم": "می\u200cخواهم", "👩\u200d⚕️ Robin": "👩\u200d⚕️ Robin", "E\u0301mile": "Émile", "A\u00a0B\u2003C": "A B C", "tab\there": "tab here", "line\r\nend": "line end",
		"<script>alert(1)</script>": "<script>alert(1)</script>", "'; drop table x; --": "'; drop table x; --", "%s%n{{7*7}}${7}": "%s%n{{7*7}}${7}", "../../etc/passwd": "../../etc/passwd",
		"NULL": "NULL", "NaN": "NaN", "true": "true", "０": "０", "Z̴a̷l̶g̸o": "Z̴a̷l̶g̸o",
	} {
		if got, reason := normalise.Name([]byte(cell)); reason != "" || string(got) != want {
			t.Errorf("Name(%q) = %q, %s; want %q", cell, got, reason, want)
		}
	}
	for _, cell := range []string{"nul\x00", "bell\x07", "escape\x1b[31m", "delete\x7f", "next\u0080", "\xff", "half\xe2\x82", "over\xc0\xaf", "sur\xed\xa0\x80", "\ufffd", strings.Repeat("é", 121)} {
		if got, reason := normalise.Name([]byte(cell)); reason != normalise.BadText || got != nil {
			t.Errorf("Name(%q) = %q, %q", cell, got, reason)
		}
	}
	for _, cell := range []string{"\u200b", mark + override, "\u00a0", "\ufeff\u2060"} {
		if got, reason := normalise.Name([]byte(cell)); reason != normalise.Missing {
			t.Errorf("Name(%q) = %q, %q", cell, got, reason)
		}
	}
}

// FuzzWords: what a reader of words gives is in its list, or reads as itself; what it refuses it says nothing of.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"No Show", "Waiting on Primary", "Sun Life (Patient Pre-Pay)", "a; b\nc", "ill\u202e", "E\u0301", "yes", "ABC 12", "9F8B3C2A-1D2E-4F50-8A1B-0C2D3E4F5A6B", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		listed := func(what, value string, reason normalise.Reason, list []string) {
			if (reason == "") != slices.Contains(list, value) || reason != "" && value != "" {
				t.Fatalf("%s(%q) = %q, %q", what, cell, value, reason)
			}
		}
		state, reason := normalise.State([]byte(cell))
		listed("State", state, reason, contract.States())
		folder, reason := normalise.Folder([]byte(cell))
		listed("Folder", folder, reason, contract.Folders())
		policy, reason := normalise.PolicyStatus([]byte(cell))
		listed("PolicyStatus", policy, reason, []string{contract.PolicyOpen, contract.PolicyAwaitingReview, contract.PolicyClosed})
		line, reason := normalise.LineStatus([]byte(cell))
		listed("LineStatus", line, reason, []string{contract.Paid, contract.Unpaid, contract.PartiallyPaid, contract.NoCharge, contract.OtherStatus})
		why, reason := normalise.CancelledReason([]byte(cell))
		listed("CancelledReason", why, reason, contract.Reasons())
		if yes, reason := normalise.Bool([]byte(cell)); reason != "" && yes {
			t.Fatalf("Bool(%q) = true, %s", cell, reason)
		}

		name, reason := normalise.Name([]byte(cell))
		if reason == "" {
			again, reason := normalise.Name(slices.Clone(name))
			if reason != "" || string(again) != string(name) || !utf8.Valid(name) || len(name) == 0 || utf8.RuneCount(name) > 120 ||
				strings.ContainsFunc(string(name), unicode.IsControl) || bytes.ContainsAny(name, "\u202e\u2066\u200b\ufeff") {
				t.Fatalf("Name(%q) = %q, and that is %q, %s", cell, name, again, reason)
			}
			bare, prepay := normalise.Payer(name)
			if !prepay && string(bare) != string(name) || prepay && len(bare) >= len(name) {
				t.Fatalf("Payer(%q) = %q, %t", name, bare, prepay)
			}
		}
		for _, part := range normalise.Names([]byte(cell)) {
			if len(part) == 0 || bytes.ContainsAny(part, ";\r\n") {
				t.Fatalf("Names(%q) has %q", cell, part)
			}
		}
		id, reason := normalise.Identifier([]byte(cell))
		if again, _ := normalise.Identifier(slices.Clone(id)); reason == "" && (string(again) != string(id) || bytes.ContainsAny(id, " ;,\n")) {
			t.Fatalf("Identifier(%q) = %q, and that is %q", cell, id, again)
		}
		number, reason := normalise.PolicyNumber([]byte(cell))
		if again, _ := normalise.PolicyNumber(slices.Clone(number)); reason == "" && string(again) != string(number) {
			t.Fatalf("PolicyNumber(%q) = %q, and that is %q", cell, number, again)
		}
	})
}

// FuzzNumbers: what is taken for a number is one, and none is negative that cannot be.
func FuzzNumbers(f *testing.F) {
	for _, seed := range []string{"152.5", "152:30", "1,152.25", "7", "-1", "1e3", "0.3333333333333333", "9223372036854775807"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		plain := !strings.ContainsFunc(strings.TrimSpace(cell), func(r rune) bool { return !strings.ContainsRune("0123456789.,:", r) })
		minutes, reason := normalise.Hours([]byte(cell))
		if minutes < 0 || reason != "" && minutes != 0 || reason == "" && !plain {
			t.Fatalf("Hours(%q) = %d, %s", cell, minutes, reason)
		}
		count, reason := normalise.Count([]byte(cell))
		if count < 0 || reason != "" && count != 0 || reason == "" && !plain {
			t.Fatalf("Count(%q) = %d, %s", cell, count, reason)
		}
		id, reason := normalise.PositiveID([]byte(cell))
		if id < 0 || (reason == "") != (id > 0) || reason == "" && !plain {
			t.Fatalf("PositiveID(%q) = %d, %s", cell, id, reason)
		}
	})
}
