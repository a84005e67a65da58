package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

const hoursHeader = "Staff Name,Shift Total Hours,Break Total Hours,Appointment Total Hours,Appointment Total Count\n"

// hoursOf is a complete hours report, staff and hours by turns.
func hoursOf(window, observed string, rows ...any) extractors.Report {
	w, err := extractors.ParseWindow(window)
	if err != nil {
		panic(err)
	}
	on, err := civil.ParseDate(observed)
	if err != nil {
		panic(err)
	}
	body := hoursHeader
	for i := 0; i < len(rows); i += 2 {
		body += fmt.Sprintf("%v,%v,0,0,0\n", rows[i], rows[i+1])
	}
	compact := strings.NewReplacer("-", "")
	return extractors.Report{
		Name: "c_shift_" + compact.Replace(w.From.String()) + "_" + compact.Replace(w.To.String()) + ".csv", Body: []byte(body),
		Range: w, Complete: true, ObservedOn: on, StatedRows: len(rows) / 2,
	}
}

// hoursIn lists the hours that the lake holds, days and periods.
func hoursIn(t *testing.T, site *pipeline.Site) string {
	t.Helper()
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, table := range []lake.Table[contract.Shift]{lake.Shifts, lake.ShiftPeriods} {
		for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(head), table) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s %s %d", row.StaffMember, row.Key()[len(row.StaffMember)+1:], row.ShiftMinutes/60))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// Days and the month around them may be brought home in any order: a complete day takes away its own rows alone, and a month
// goes once each of its days is known by itself.
func TestDaysAndMonthsOfHours(t *testing.T) {
	short := hoursOf("2026-02-01..2026-02-03", "2026-02-10", "Kim", 24, "Lee", 8) // a period of three days
	first := hoursOf("2026-02-01..2026-02-01", "2026-02-11", "Kim", 8)
	second := hoursOf("2026-02-02..2026-02-02", "2026-02-11", "Kim", 9)
	third := hoursOf("2026-02-03..2026-02-03", "2026-02-11") // nobody worked
	secondAgain := hoursOf("2026-02-02..2026-02-02", "2026-02-12", "Lee", 7)
	for _, test := range []struct {
		name    string
		reports []extractors.Report
		want    string
	}{
		{"a period", handed{short}, "Kim 2026-02-01|2026-02-03 24; Lee 2026-02-01|2026-02-03 8"},
		{"its first day beside it", handed{short, first}, "Kim 2026-02-01|2026-02-01 8; Kim 2026-02-01|2026-02-03 24; Lee 2026-02-01|2026-02-03 8"},
		{"all of its days", handed{short, first, second, third}, "Kim 2026-02-01|2026-02-01 8; Kim 2026-02-02|2026-02-02 9"},
		{"a day anew", handed{first, second, secondAgain}, "Kim 2026-02-01|2026-02-01 8; Lee 2026-02-02|2026-02-02 7"},
	} {
		for _, order := range permutations(len(test.reports)) {
			site := testSite(t, "hours")
			for _, i := range order {
				clinic := settings.Clinic{Name: "Hours", TimeZone: "America/Toronto", Currency: "CAD"}
				if _, err := site.Ingest(context.Background(), handed{test.reports[i]}, pipeline.IngestOptions{Source: "test", Settings: &clinic}); err != nil {
					t.Fatal(err)
				}
			}
			if got := hoursIn(t, site); got != test.want {
				t.Errorf("%s in the order %v: %s\nwant %s", test.name, order, got, test.want)
			}
		}
	}
}

// permutations are all orders of n things.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var out [][]int
	for _, rest := range permutations(n - 1) {
		for at := range n {
			out = append(out, slices.Insert(slices.Clone(rest), at, n-1))
		}
	}
	return out
}

// Who does not ask for names gets none; who does gets them in a dataset of their own. Of the activity log the account's own lines land.
func TestNamesAndActivityLandOnlyWhenAskedFor(t *testing.T) {
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From.Year = 60, 2025
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	reports := append(exported(t, clinic, "csv"), extractors.Report{
		Name: "c_activity_20261101_20261130.csv", StatedRows: -1, Dataset: contract.PortalActivity,
		Body: []byte("Time,Staff Member,Activity,Rows\n2026-11-24 08:30:00 -0500,falloff,Ran report Sales,61\n2026-11-24 08:31:00 -0500,desk,Opened schedule,\n"),
	})
	for _, names := range []bool{false, true} {
		site := testSite(t, "modes")
		if names {
			store := site.Clinic.Store()
			if _, err := site.EnterRecovery(t.Context()); err != nil {
				t.Fatal(err)
			}
			var err error
			if site, err = pipeline.OpenSiteOn(t.Context(), store, pipeline.SiteOptions{Clinic: "modes", Vault: site.Vault}); err != nil {
				t.Fatal(err)
			}
		}
		in, err := site.Ingest(t.Context(), reports, pipeline.IngestOptions{Source: "test", Settings: &typed, Account: "falloff", Identities: names})
		if err != nil {
			t.Fatal(err)
		}
		head, err := site.Clinic.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The log is of a later day than the reports, and says nothing about what they show.
		if in.AsOf != clinic.ReportDate() {
			t.Errorf("the reports are taken to show %s", in.AsOf)
		}
		if n := head.Datasets[contract.PortalActivity].Rows(); n != 1 {
			t.Errorf("%d lines of the activity log landed, one is ours", n)
		}
		for _, dataset := range []string{
			contract.Payments, contract.AppliedPayments, contract.Adjustments, contract.WriteOffs, contract.Credits,
			contract.AccountsReceivable, contract.UnscheduledPatients,
		} {
			if head.Datasets[dataset].Rows() == 0 {
				t.Errorf("no %s landed", dataset)
			}
		}
		first := map[string]string{}
		for _, p := range clinic.Patients() {
			first[p.GUID] = p.FirstName
		}
		landed := 0
		for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(head), lake.Identities) {
			if err != nil {
				t.Fatal(err)
			}
			if landed++; first[row.PatientGUID] != row.FirstName || row.Patient == row.PatientGUID {
				t.Error("a name is not the one of its identifier")
			}
		}
		if (landed > 30) != names || !names && landed > 0 {
			t.Errorf("with names %v, %d landed", names, landed)
		}
	}
}
