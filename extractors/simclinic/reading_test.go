package simclinic

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/goccy/go-yaml"
)

// The tests read a clinic the way an outsider must: from the rows of its reports and from clinic.yaml.

// defaultClinic makes a clinic at default dials.
func defaultClinic(t testing.TB, seed uint64) *Clinic {
	t.Helper()
	dials := DefaultDials()
	dials.Seed = seed
	return mustClinic(t, dials)
}

func mustClinic(t testing.TB, dials Dials) *Clinic {
	t.Helper()
	c, err := New(dials)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// record is a row of a report by header.
type record map[string]Cell

// records are the rows of a whole report, bookings ahead included.
func records(t testing.TB, c *Clinic, report string) []record {
	t.Helper()
	to := c.Horizon()
	if AsOf(report) {
		to = c.ReportDate()
	}
	table, err := c.Table(report, c.Dials().From, to)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]record, len(table.Rows))
	for i, row := range table.Rows {
		if len(row) != len(table.Headers) {
			t.Fatalf("report %s: row %d has %d cells for %d headers", report, i, len(row), len(table.Headers))
		}
		out[i] = record{}
		for j, header := range table.Headers {
			out[i][header] = row[j]
		}
	}
	return out
}

func (r record) text(header string) string {
	c, ok := r[header]
	if !ok {
		panic("no header " + header)
	}
	if c.Kind == Integer {
		return fmt.Sprint(c.Number)
	}
	return c.Text
}

func (r record) number(header string) int64 { return r[header].Number }
func (r record) blank(header string) bool   { return r[header].Kind == Blank }
func (r record) date(header string) civil.Date {
	return civil.Date{Year: 1970, Month: 1, Day: 1}.AddDays(int(r[header].Number))
}

// at is an instant in the clinic's zone.
func (r record) at(header string, zone *time.Location) time.Time {
	return time.Unix(r[header].Number, 0).In(zone)
}

// list splits a cell that may hold several people.
func (r record) list(header string) []string {
	if r.blank(header) {
		return nil
	}
	return strings.Split(r.text(header), "; ")
}

// typedIn is clinic.yaml.
type typedIn struct {
	Clinic   string `yaml:"clinic"`
	Country  string `yaml:"country"`
	Region   string `yaml:"region"`
	TimeZone string `yaml:"time_zone"`
	Currency string `yaml:"currency"`
	Tax      struct {
		Name string `yaml:"name"`
		Rate string `yaml:"rate"`
	} `yaml:"tax"`
	Prices []struct {
		Item       string `yaml:"item"`
		Discipline string `yaml:"discipline"`
		Location   string `yaml:"location"`
		Price      string `yaml:"price"`
		Taxable    bool   `yaml:"taxable"`
		From       string `yaml:"from"`
		To         string `yaml:"to"`
	} `yaml:"prices"`
	Fees []struct {
		Kind       string `yaml:"kind"`
		Item       string `yaml:"item"`
		Amount     string `yaml:"amount"`
		Taxable    bool   `yaml:"taxable"`
		Notice     int    `yaml:"notice_hours"`
		Discipline string `yaml:"discipline"`
		From       string `yaml:"from"`
		To         string `yaml:"to"`
	} `yaml:"fees"`
	Insurers []string `yaml:"insurers"`
}

func readSettings(t testing.TB, c *Clinic) typedIn {
	t.Helper()
	var s typedIn
	if err := yaml.Unmarshal(c.SettingsYAML(), &s); err != nil {
		t.Fatalf("clinic.yaml: %v", err)
	}
	return s
}

// parseDecimal reads an amount such as 94.50 as cents, or a rate such as 0.13 with four decimals as ten thousandths.
func parseDecimal(t testing.TB, s string, decimals int) int64 {
	t.Helper()
	whole, fraction, _ := strings.Cut(s, ".")
	for len(fraction) < decimals {
		fraction += "0"
	}
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil || len(fraction) != decimals {
		t.Fatalf("amount %q: %v", s, err)
	}
	return n
}

// within says whether ISO dates enclose a day; empty ends are open.
func within(from, to string, d civil.Date) bool {
	return (from == "" || from <= d.String()) && (to == "" || d.String() <= to)
}
