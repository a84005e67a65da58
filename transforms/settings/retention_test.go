package settings_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/settings"
)

const retentionSample = "clinic: C\ntime_zone: America/Toronto\ncurrency: CAD\n"

func TestRetention(t *testing.T) {
	c, err := settings.Parse([]byte(retentionSample+"retention: {shifts: 24m, appointments: 7y, invoice_lines: 8y, adjustments: 10y}\n"), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Keeps(), map[string]int{"appointments": 84, "invoice_lines": 96, "shifts": 24, "shift_periods": 24, "adjustments": 120, "write_offs": 120}; !maps.Equal(got, want) {
		t.Errorf("keeps %v, want %v", got, want)
	}
	body, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := settings.FromJSON(body)
	if err != nil || !maps.Equal(again.Keeps(), c.Keeps()) {
		t.Errorf("read again: %v, %v", again.Keeps(), err)
	}
	if c, err := settings.Parse([]byte(retentionSample+"retention:\n"), "clinic.yaml"); err != nil || len(c.Keeps()) > 0 {
		t.Errorf("nothing said: %v, %v", c.Keeps(), err)
	}
	for said, problem := range map[string]string{
		"{appointments: 7}":                                 "such as 7y or 24m",
		"{appointments: -1y}":                               "such as 7y or 24m",
		"{appointments: 3m}":                                "at least 6m",
		"{appointments: 7 years}":                           "such as 7y or 24m",
		"{policies: 7y}":                                    "no key `policies`",
		"{invoice_lines: 7y}":                               "invoice_lines would go before the appointments",
		"{appointments: 8y, invoice_lines: 7y}":             "invoice_lines would go before the appointments",
		"{appointments: 1y, invoice_lines: 7y, claims: 2y}": "claims would go before the invoice_lines",
	} {
		var wrong *settings.Error
		if _, err := settings.Parse([]byte(retentionSample+"retention: "+said+"\n"), "clinic.yaml"); !errors.As(err, &wrong) || !strings.Contains(err.Error(), problem) {
			t.Errorf("retention: %s gives %v", said, err)
		}
	}
}

func TestKeptFrom(t *testing.T) {
	for _, test := range []struct {
		today  string
		months int
		want   string
	}{
		{"2026-11-26", 24, "2024-11-01"}, {"2026-11-01", 24, "2024-11-01"}, {"2026-01-31", 1, "2025-12-01"},
		{"2026-12-31", 12, "2025-12-01"}, {"2024-02-29", 84, "2017-02-01"},
	} {
		today, err := civil.ParseDate(test.today)
		if err != nil {
			t.Fatal(err)
		}
		if got := settings.KeptFrom(today, test.months).String(); got != test.want {
			t.Errorf("%d months on %s are kept from %s, want %s", test.months, test.today, got, test.want)
		}
	}
}
