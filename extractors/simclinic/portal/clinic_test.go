package portal

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

var _ Clinic = (*simclinic.Clinic)(nil)

// TestOverASimulatedClinic runs and exports everything over the clinic that the demo shows.
func TestOverASimulatedClinic(t *testing.T) {
	dials := simclinic.DefaultDials()
	dials.Patients = 100
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	from, to := dials.From.String(), clinic.ReportDate().String()
	synctest.Test(t, func(t *testing.T) {
		p, err := New(clinic, Options{ExportDelay: brief})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c := enter(t, p)
		for _, report := range simclinic.Reports() {
			c.setFilters(from, to, "", "").want(t, 200, to)
			if report == simclinic.Transactions {
				// It takes a month at a time, and says so to the export too.
				c.ask("GET", "/api/reports/transactions", nil).want(t, 422, "at most 31 days at a time")
				c.ask("POST", "/api/exports", map[string]string{"report": report, "format": "csv"}).want(t, 422, "at most 31 days at a time")
				c.setFilters(clinic.ReportDate().AddDays(-30).String(), to, "", "").want(t, 200, to)
			}
			whole := c.run(report, "")
			if asOf := whole.From == whole.To; asOf != simclinic.AsOf(report) {
				t.Errorf("%s is about %s to %s", report, whole.From, whole.To)
			}
			if whole.Total == 0 || len(whole.Rows) == 0 || len(whole.Rows[0]) != len(whole.Headers) {
				t.Errorf("%s shows %d of %d rows under %d headers", report, len(whole.Rows), whole.Total, len(whole.Headers))
				continue
			}
			for _, format := range []string{"csv", "xlsx"} {
				state, file := finished(t, c, report, format)
				if state != exportReady || !strings.HasPrefix(file, clinic.Slug()+"_"+report+"_") || !strings.HasSuffix(file, "."+format) {
					t.Errorf("%s as %s is %s, called %q", report, format, state, file)
					continue
				}
				body := c.ask("GET", "/downloads/"+file, nil).body
				if format == "csv" {
					if lines := bytes.Count(body, []byte("\n")); lines < whole.Total {
						t.Errorf("%s has %d lines, the screen counted %d", file, lines, whole.Total)
					}
					continue
				}
				book, err := excelize.OpenReader(bytes.NewReader(body))
				if err != nil {
					t.Errorf("%s: %v", file, err)
					continue
				}
				// Title rows may stand above the header.
				if rows, err := book.GetRows("Export"); err != nil || len(rows) <= whole.Total || len(rows) > whole.Total+6 {
					t.Errorf("%s has %d rows (%v), the screen counted %d", file, len(rows), err, whole.Total)
				}
				if err := book.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		checkNarrowing(t, clinic, c, from, to)
	})
}

// checkNarrowing demands that the appointments of each location add up to all of them, and the sales of one practitioner
// to fewer than all.
func checkNarrowing(t *testing.T, clinic *simclinic.Clinic, c *caller, from, to string) {
	t.Helper()
	total := func(report, location, staff string) int {
		t.Helper()
		c.setFilters(from, to, location, staff).want(t, 200, to)
		return c.run(report, "").Total
	}
	locations := clinic.LocationNames()
	if len(locations) < 2 {
		t.Fatalf("the demo's clinic has locations %q: one alone makes no filter", locations)
	}
	whole, placed := total(simclinic.Appointments, "", ""), 0
	for _, location := range locations {
		part := total(simclinic.Appointments, location, "")
		if part == 0 || part == whole {
			t.Errorf("%d of %d appointments are at %s", part, whole, location)
		}
		placed += part
	}
	if placed != whole {
		t.Errorf("the locations have %d appointments together, want %d", placed, whole)
	}
	whole = total(simclinic.Sales, "", "")
	if part := total(simclinic.Sales, "", clinic.StaffNames()[0]); part == 0 || part >= whole {
		t.Errorf("%d of %d sales lines are of one practitioner", part, whole)
	}
}

func TestTheActivityLogCanBeExported(t *testing.T) {
	clinic, err := simclinic.New(simclinic.DefaultDials())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		day := clinic.ReportDate().In(clinic.Zone()).Add(12 * time.Hour)
		p, err := New(clinic, Options{ExportDelay: brief, Clock: func() time.Time { return day }})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c := enter(t, p)
		c.setFilters("", "", "", "")
		for _, format := range []string{"csv", "xlsx"} {
			state, file := finished(t, c, activityReport, format)
			if state != exportReady {
				t.Fatalf("the log as %s is %s", format, state)
			}
			body := c.ask("GET", "/downloads/"+file, nil).body
			if format == "csv" && !bytes.Contains(body, []byte("Signed in")) {
				t.Errorf("the log's file says %q", body)
			}
		}
	})
}

func TestForbiddenPagesShowTheClinicsCanariesToOwnersAlone(t *testing.T) {
	clinic, err := simclinic.New(simclinic.DefaultDials())
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(clinic, Options{})
	if err != nil {
		t.Fatal(err)
	}
	person := clinic.Patients()[0]
	planted := []string{
		person.FirstName, person.LastName, person.Phone, person.Email, person.Address, person.BirthDate, person.Note, person.Diagnosis, person.Card,
	}
	c := enter(t, p)
	refused := c.ask("GET", "/api/patients/1", nil)
	p.SetAccess("clerk", AccountOwner, Toggles{Billing: true, Charts: true})
	shown := c.ask("GET", "/api/patients/1", nil)
	for _, canary := range planted {
		if canary == "" || !strings.Contains(unescape(shown.body), canary) {
			t.Errorf("the owner's page lacks %q", canary)
		}
		if strings.Contains(unescape(refused.body), canary) {
			t.Errorf("the refusal shows %q", canary)
		}
	}
}

// unescape undoes what JSON does to apostrophes and the like.
func unescape(body []byte) string {
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">", `\"`, `"`).Replace(string(body))
}
