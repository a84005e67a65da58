package settings_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// What is written is read as the same settings, whatever names people choose.
func TestYAMLIsReadAsTheSame(t *testing.T) {
	sim, err := simclinic.New(simclinic.DefaultDials())
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string][]byte{
		"simulated": sim.SettingsYAML(),
		"bare":      []byte("clinic: x\ntime_zone: UTC\ncurrency: CAD\n"),
		"names": []byte(`
clinic: "It's: a #clinic"
country: CA
region: "- x"
time_zone: America/Toronto
currency: CAD
week_starts: sunday
staff: pseudonym
tax: {name: "TPS + TVQ", rate: "0.14975"}
disciplines: [{name: "true", falloff_days: 7}, {name: "null", falloff_days: 180}]
prices:
  - {item: "1.0", discipline: "true", price: "0.05", from: 2024-01-01, to: 2024-12-31}
  - {item: "{a: b}", location: "[x]", discipline: "Ünï ☂", price: "1234567.89", taxable: true}
  - {item: "*a &b !c %d @e", price: "10"}
fees:
  - {kind: no_show, item: "~", amount: "0.00", from: 2024-01-01}
  - {kind: late_cancel, item: "late", discipline: "true", location: "x", amount: "1.10", notice_hours: 336}
insurers: ["o'hara ''", "2024-01-01", "a, b", "> |"]
filing_limits: [{insurer: "yes", days: 31}]
retention: {appointments: 7y, portal_activity: 25m, invoice_lines: 8y, claims: 8y, payments: 8y, applied_payments: 8y, adjustments: 8y}
checks_off: [claims.claimed]
unreconciled_limit: "0.01"
due_days: {patient: 10, insurer: 45}
alive_model: bgnbd
`),
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			first, err := settings.Parse(body, "clinic.yaml")
			if err != nil {
				t.Fatal(err)
			}
			written, err := first.YAML()
			if err != nil {
				t.Fatal(err)
			}
			second, err := settings.Parse(written, "clinic.yaml")
			if err != nil {
				t.Fatalf("%v in\n%s", err, written)
			}
			a, errA := first.JSON()
			b, errB := second.JSON()
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%v %v\nwas %s\nis  %s", errA, errB, a, b)
			}
			if all := reflect.ValueOf(first); name == "names" {
				for i := range all.NumField() {
					if all.Field(i).IsZero() {
						t.Errorf("%s is not set here: nobody knows whether it is written", all.Type().Field(i).Name)
					}
				}
			}
			if strings.Contains(string(written), "taxable") {
				t.Error("amounts hold the tax: nothing may be taxed again")
			}
		})
	}
}

// FuzzYAML: any clinic.yaml that is read can be written.
func FuzzYAML(f *testing.F) {
	samples, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, sample := range samples {
		body, err := os.ReadFile(sample)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("clinic: \"a'\\tb\"\ntime_zone: UTC\ncurrency: CAD\ninsurers: ['']\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := settings.Parse(body, "clinic.yaml")
		if err != nil {
			return
		}
		if _, err := c.YAML(); err != nil {
			t.Errorf("%v, of %q", err, body)
		}
	})
}
