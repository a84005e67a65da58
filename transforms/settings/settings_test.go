package settings_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/settings"
)

func day(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sample(t testing.TB) (settings.Clinic, []byte) {
	t.Helper()
	body, err := os.ReadFile("testdata/clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := settings.Parse(body, "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c, body
}

func TestParseSample(t *testing.T) {
	c, _ := sample(t)
	if c.Name != "Harbour Street Physio" || c.Country != "CA" || c.Region != "ca-central" || c.TimeZone != "America/Toronto" ||
		c.Currency != "CAD" || c.WeekStarts != "monday" || c.PseudonymStaff || c.TaxName != "HST" || c.TaxPerMillion != 130000 {
		t.Errorf("head %+v", c)
	}
	if want := []settings.Discipline{{"Massage", 60}, {"Physiotherapy", 42}}; !reflect.DeepEqual(c.Disciplines, want) {
		t.Errorf("disciplines %+v", c.Disciplines)
	}
	if want := []string{"Green Shield", "Sun Life"}; !slices.Equal(c.Insurers, want) {
		t.Errorf("insurers %q", c.Insurers)
	}
	// sun life has a filing limit too and is not another insurer for that.
	if want := []string{"Green Shield", "Sun Life", "TELUS eClaims"}; !slices.Equal(c.KnownInsurers(), want) {
		t.Errorf("known insurers %q", c.KnownInsurers())
	}
	zone, err := c.Zone()
	if err != nil || zone.String() != "America/Toronto" {
		t.Errorf("zone %v, %v", zone, err)
	}
}

func TestPriceOn(t *testing.T) {
	c, _ := sample(t)
	tests := []struct {
		item, location, day string
		cents               int64
		ok                  bool
	}{
		{"Physiotherapy Treatment", "Harbour Street", "2024-01-01", 9500, true},
		{"Physiotherapy Treatment", "Harbour Street", "2025-12-31", 9500, true},
		{"Physiotherapy Treatment", "Harbour Street", "2026-01-01", 9900, true},
		{"Physiotherapy Treatment", "Harbour Street", "2023-12-31", 9000, true}, // only the price for every location holds
		{"Physiotherapy Treatment", "Lake Road", "2025-06-01", 9000, true},
		{"Massage 60 min", "Lake Road", "2026-06-30", 12487, true}, // 110.50 and 13 % of it, 14.365, rounded up: 124.87
		{"Massage 60 min", "Lake Road", "2026-07-01", 12995, true}, // 115.00 + 14.95; the older one has no last day and gives way
		{"Acupuncture", "Lake Road", "2026-07-01", 0, false},
	}
	for _, test := range tests {
		cents, ok := c.PriceOn(test.item, test.location, day(t, test.day))
		if cents != test.cents || ok != test.ok {
			t.Errorf("%s at %s on %s: %d %v, want %d %v", test.item, test.location, test.day, cents, ok, test.cents, test.ok)
		}
	}
	if got := c.DisciplineOf("Massage 60 min"); got != "Massage" {
		t.Errorf("discipline %q", got)
	}
	if got := c.DisciplineOf("Foam Roller"); got != settings.Unspecified {
		t.Errorf("discipline of a product %q", got)
	}
}

func TestFeeOn(t *testing.T) {
	c, _ := sample(t)
	tests := []struct {
		kind                      settings.FeeKind
		discipline, location, day string
		cents                     int64
		ok                        bool
	}{
		{settings.NoShow, "Physiotherapy", "Harbour Street", "2025-06-30", 5650, true}, // 50.00 + 6.50
		{settings.NoShow, "Physiotherapy", "Harbour Street", "2025-07-01", 0, true},    // a policy of no fee
		{settings.NoShow, "Physiotherapy", "Lake Road", "2025-07-01", 7000, true},
		{settings.NoShow, "Massage", "Harbour Street", "2025-07-01", 8000, true},
		{settings.NoShow, "Massage", "Lake Road", "2025-07-01", 8500, true},
		{settings.NoShow, "Massage", "Lake Road", "2023-12-31", 0, false},
		{settings.LateCancel, "Massage", "Lake Road", "2026-01-01", 4520, true},
	}
	for _, test := range tests {
		fee, ok := c.FeeOn(test.kind, test.discipline, test.location, day(t, test.day))
		if fee.GrossCents != test.cents || ok != test.ok {
			t.Errorf("%s %s at %s on %s: %d %v, want %d %v", test.kind, test.discipline, test.location, test.day, fee.GrossCents, ok, test.cents, test.ok)
		}
	}
	fee, _ := c.FeeOn(settings.LateCancel, "", "", day(t, "2026-01-01"))
	if fee.NoticeHours != 48 || fee.Item != "Late Cancellation Fee" {
		t.Errorf("late cancellation %+v", fee)
	}
}

func TestDefaults(t *testing.T) {
	c, err := settings.Parse([]byte("clinic: A\ntime_zone: UTC\ncurrency: USD\nfees:\n- {kind: late_cancel, item: Fee, amount: 10}\nprices:\ninsurers: []\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	if c.WeekStarts != "monday" || c.PseudonymStaff || len(c.Prices) != 0 || c.Fees[0].NoticeHours != 24 || c.Fees[0].GrossCents != 1000 {
		t.Errorf("%+v", c)
	}
	if c.Fees[0].From != nil || c.Fees[0].To != nil {
		t.Errorf("open dates are %v and %v", c.Fees[0].From, c.Fees[0].To)
	}
}

func TestQuebecTax(t *testing.T) {
	c, err := settings.Parse([]byte("clinic: A\ntime_zone: America/Montreal\ncurrency: CAD\ntax: {name: TPS/TVQ, rate: \"0.14975\"}\nstaff: pseudonym\nprices: [{item: M, price: 100, taxable: yes}]\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	// 14.975 is a half: it is rounded up.
	if c.TaxPerMillion != 149750 || c.Prices[0].GrossCents != 11498 || !c.PseudonymStaff {
		t.Errorf("%+v", c)
	}
}

// The same settings in another order give the same bytes, and those give the same settings.
func TestCanonicalJSON(t *testing.T) {
	c, body := sample(t)
	first, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(body), "\n")
	at := func(prefix string) int {
		return slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
	}
	fees, insurers := at("fees:"), at("insurers:")
	slices.Reverse(lines[fees+1 : insurers])
	shuffled := strings.Join(slices.Concat(lines[fees:], lines[:fees]), "")
	shuffled = strings.Replace(shuffled, "[Sun Life, Green Shield]", "\n- Green Shield\n- \"Sun Life\"", 1)
	again, err := settings.Parse([]byte(shuffled), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	second, err := again.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("in another order the JSON differs:\n%s\n%s", first, second)
	}
	back, err := settings.FromJSON(first)
	if err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("read back: %v\n%+v\n%+v", err, back, c)
	}
	for name, bad := range map[string]string{
		"newer":        strings.Replace(string(first), `"format": 1`, `"format": 2`, 1),
		"unknown key":  strings.Replace(string(first), `"name":`, `"nom":`, 1),
		"not JSON":     "clinic: A",
		"unknown zone": strings.Replace(string(first), "America/Toronto", "America/Nowhere", 1),
	} {
		if _, err := settings.FromJSON([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestMistakes(t *testing.T) {
	head := "clinic: A\ntime_zone: America/Toronto\ncurrency: CAD\n"
	tests := []struct {
		name, body string
		line       int
		want       string
	}{
		{"empty", "", 0, "it holds 0 documents"},
		{"comment only", "# nothing\n", 0, "it holds 0 documents"},
		{"two documents", head + "---\n" + head, 0, "it holds 2 documents"},
		{"a list", "- a\n- b\n", 1, "not written as `key: value`"},
		{"no text", "clinic: A\x00", 0, "not text"},
		{"not YAML", head + "prices: [\n", 4, "it is not YAML"},
		{"tab", head + "tax:\n\tname: HST\n", 5, "it is not YAML"},
		{"unknown key", head + "price:\n", 4, "has no key `price`. Did you mean `prices`?"},
		{"far key", head + "colour: red\n", 4, "has no key `colour`. The keys are clinic, country"},
		{"doubled key", head + "clinic: B\n", 4, "clinic"},
		{"missing key", "clinic: A\ncurrency: CAD\n", 1, "lacks the key `time_zone`"},
		{"blank name", "clinic: \"\"\ntime_zone: UTC\ncurrency: CAD\n", 1, "clinic is no name"},
		{"no value", "clinic:\ntime_zone: UTC\ncurrency: CAD\n", 1, "clinic has no plain value"},
		{"country", head + "country: Canada\n", 4, `country is "Canada"`},
		{"zone", "clinic: A\ntime_zone: Toronto\ncurrency: CAD\n", 2, `"Toronto" is not a time zone. Write an IANA name`},
		{"local zone", "clinic: A\ntime_zone: Local\ncurrency: CAD\n", 2, `"Local" is not a time zone`},
		{"currency", "clinic: A\ntime_zone: UTC\ncurrency: dollars\n", 3, `"dollars" is not a currency`},
		{"small currency", "clinic: A\ntime_zone: UTC\ncurrency: cad\n", 3, `"cad" is not a currency`},
		{"yen", "clinic: A\ntime_zone: UTC\ncurrency: JPY\n", 3, "JPY has no cents"},
		{"week", head + "week_starts: Funday\n", 4, "Write one of monday, tuesday"},
		{"staff", head + "staff: initials\n", 4, "Write one of name, pseudonym"},
		{"rate as percentage", head + "tax: {name: HST, rate: 13}\n", 4, `rate is "13". Write 13 % as "0.13"`},
		{"rate too fine", head + "tax: {name: HST, rate: 0.1234567}\n", 4, "at most six decimals"},
		{"tax as text", head + "tax: HST\n", 4, "tax is not written as `key: value` pairs"},
		{"prices no list", head + "prices: {item: A, price: 1}\n", 4, "prices is not a list"},
		{"money", head + "prices:\n- {item: A, price: \"95.00\"}\n- {item: B, price: \"12,5o\"}\n", 6, `price is "12,5o". Write it as "95.00"`},
		{"comma", head + "prices:\n- {item: B, price: \"12,50\"}\n", 5, `price is "12,50"`},
		{"negative", head + "fees:\n- {kind: no_show, item: B, amount: -5}\n", 5, `amount is "-5"`},
		{"price key", head + "prices:\n- item: A\n  prize: 5\n", 6, "a price has no key `prize`. Did you mean `price`?"},
		{"price lacks", head + "prices:\n- item: A\n", 5, "a price lacks the key `price`"},
		{"nested", head + "prices:\n- item: {a: b}\n  price: 5\n", 5, "item has no plain value"},
		{"taxable what", head + "prices:\n- {item: A, price: 5, taxable: maybe}\n", 5, `taxable is "maybe"`},
		{"taxable without tax", head + "prices:\n- {item: A, price: 5, taxable: true}\n", 5, "taxable, but the file has no `tax`"},
		{"date", head + "prices:\n- {item: A, price: 5, from: 2026-02-30}\n", 5, `from is "2026-02-30". Write a day that exists`},
		{"dates swapped", head + "prices:\n- {item: A, price: 5, from: 2026-02-01, to: 2026-01-01}\n", 5, "ends on 2026-01-01 before it begins on 2026-02-01"},
		{"same start", head + "prices:\n- {item: A, price: 5, from: 2026-01-01}\n- {item: A, price: 6, from: 2026-01-01}\n", 6, "this one and that on line 5 both begin on 2026-01-01"},
		{"no start twice", head + "prices:\n- {item: A, price: 5}\n- {item: A, price: 5}\n", 6, "neither this one nor that on line 5"},
		{"overlap", head + "prices:\n- {item: A, price: 6, from: 2026-01-01}\n- {item: A, price: 5, from: 2025-01-01, to: 2026-01-01}\n", 5, "that on line 6 holds until 2026-01-01, this one begins on 2026-01-01"},
		{"two disciplines", head + "prices:\n- {item: A, price: 5, discipline: X}\n- {item: A, price: 6, discipline: Y, location: L}\n", 6, `of discipline "Y" here and of "X" on line 5`},
		{"fees overlap", head + "fees:\n- {kind: no_show, item: A, amount: 5, from: 2026-01-01, to: 2026-12-31}\n- {kind: no_show, item: A, amount: 5, from: 2026-12-31}\n", 6, "two no_show fees: that on line 5 holds until"},
		{"fee kind", head + "fees:\n- {kind: late, item: A, amount: 5}\n", 5, "Write one of no_show, late_cancel"},
		{"notice of a no-show", head + "fees:\n- {kind: no_show, item: A, amount: 5, notice_hours: 24}\n", 5, "a no_show fee has no notice_hours"},
		{"notice", head + "fees:\n- {kind: late_cancel, item: A, amount: 5, notice_hours: a day}\n", 5, "Write a whole number from 1 to 336"},
		{"insurer twice", head + "insurers: [Sun Life, SUN LIFE]\n", 4, `insurer "SUN LIFE" is there twice`},
		{"limit twice", head + "filing_limits:\n- {insurer: A, days: 1}\n- {insurer: a, days: 2}\n", 6, "two filing limits"},
		{"discipline twice", head + "disciplines:\n- {name: A, falloff_days: 42}\n- {name: A, falloff_days: 43}\n", 6, `discipline "A" is there twice`},
		{"alias", head + "tax: &t {name: HST, rate: 0.1}\nprices: [*t]\n", 4, "tax is not written as"},
		{"too deep", head + "prices: " + strings.Repeat("[", 100_000), 0, "nested too deep"},
		{"deep by indent", head + strings.Repeat("- ", 100_000), 0, "nested too deep"},
		{"too big", head + strings.Repeat("# comment\n", 200_000), 0, "larger than 1024 KB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := settings.Parse([]byte(test.body), "north/clinic.yaml")
			var mistake *settings.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("error %v is no *settings.Error", err)
			}
			if mistake.File != "north/clinic.yaml" || mistake.Line != test.line || !strings.Contains(err.Error(), test.want) || mistake.Hint == "" {
				t.Errorf("%v\nwant line %d with %q", err, test.line, test.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

// FuzzParse looks for panics, and holds that what is accepted survives its JSON form.
func FuzzParse(f *testing.F) {
	body, err := os.ReadFile("testdata/clinic.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte("clinic: A\ntime_zone: UTC\ncurrency: USD\n"))
	f.Add([]byte("a: &x [*x, {b: |\n c}]\n? d\n: !!int 5\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		start := time.Now()
		c, err := settings.Parse(body, "f")
		if spent := time.Since(start); spent > 10*time.Second {
			t.Fatalf("%d bytes took %v", len(body), spent)
		}
		if err != nil {
			return
		}
		encoded, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := settings.FromJSON(encoded)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("%v: %+v became %+v", err, c, back)
		}
	})
}

// TestChecksOff: names are as refusals print them, in any order and any number of times; anything else is refused.
func TestChecksOff(t *testing.T) {
	_, body := sample(t)
	c, err := settings.Parse(append(slices.Clone(body), "checks_off: [claims.claimed, appointments.booked_at-arrived_at, claims.claimed]\n"...), "clinic.yaml")
	if want := []string{"appointments.booked_at-arrived_at", "claims.claimed"}; err != nil || !slices.Equal(c.ChecksOff, want) {
		t.Fatalf("%q, %v", c.ChecksOff, err)
	}
	text, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := settings.FromJSON(text); err != nil || !slices.Equal(again.ChecksOff, c.ChecksOff) {
		t.Errorf("stored: %q, %v", again.ChecksOff, err)
	}
	for _, bad := range []string{"all", "claims", "Claims.claimed", "claims.`Claimed`", "[claims.claimed]"} {
		var wrong *settings.Error
		if _, err := settings.Parse(append(slices.Clone(body), "checks_off: ["+bad+"]\n"...), "clinic.yaml"); !errors.As(err, &wrong) || wrong.Line == 0 {
			t.Errorf("checks_off: [%s] gives %v", bad, err)
		}
	}
}
