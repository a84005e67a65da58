package pipeline_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// alike are columns that nothing in a file tells apart (the note in transforms/plausible.go): named here, so that the
// list cannot grow unseen.
var alike = map[string][]string{
	// Two lines that are equal in everything are two sales. Where no price names a location, a list of two or three names may
	// be anything's.
	simclinic.Sales: {"a row twice in place of another", "Location and Staff Member swapped"},
	simclinic.Policies: {
		"Number of Treatments and Max Treatments swapped", // patients are treated beyond what a policy covers
		"End Date and Next Appointment swapped",           // both are days, and both may be blank
		"amounts in cents",                                // policies for accidents cover hundreds of visits
	},
	// A clinic with few patients has more breaks than appointments.
	simclinic.Hours: {"Break Total Hours and Appointment Total Hours swapped"},
	// Without numbers payments are told apart by what they say, without a type by their sign.
	simclinic.Transactions: slices.Concat(gone("Transaction #"), gone("Type")),
	// Who pays before the visit pays before the purchase; an amount may be taken off and applied again.
	simclinic.Applied: {"Payment Date and Purchase Date swapped", "a row twice in place of another"},
	// The payer is looked at on insurers' invoices, of which few are adjusted; equal adjustments are all kept.
	simclinic.Adjustments: {"Patient and Payer swapped", "Payer and Reason swapped", "Staff Member and Location swapped", "a row twice in place of another"},
	simclinic.WriteOffs:   {"Patient and Payer swapped", "Payer and Reason swapped", "Staff Member and Location swapped", "a row twice in place of another"},
	// A payer's credits may be printed one by one; nothing says how large one may be.
	simclinic.Credits: {"a row twice in place of another", "amounts in cents"},
	// Clinics that bill insurers may take more off than they receive; all totals a hundred times as large agree as well.
	simclinic.Receivables: {"Transactions and Credit Memos swapped", "amounts in cents"},
	// Without a discipline a patient has one row.
	simclinic.Unscheduled: gone("Discipline"),
	// What is done twice in a second is two things.
	contract.ActivityReport: {"a row twice in place of another"},
}

// gone are the ways in which a column can be missing.
func gone(header string) []string {
	return []string{header + " renamed", header + " translated", header + " without a name", header + " removed", header + " left blank"}
}

// fewRows are the reports of what happens seldom: only a clinic with more people has enough of it.
var fewRows = map[string]bool{simclinic.Adjustments: true, simclinic.WriteOffs: true, simclinic.Credits: true, simclinic.Unscheduled: true}

// TestFileMutations changes exported files in every way of the corpus, in both formats where it is not about CSV. Each
// must be read as what the clinic printed, or be refused by name.
func TestFileMutations(t *testing.T) {
	t.Parallel()
	plain := func(patients int) *simclinic.Clinic {
		dials := simclinic.DefaultDials()
		dials.Seed, dials.Patients, dials.Style = 3, patients, &simclinic.Style{}
		clinic, err := simclinic.New(dials)
		if err != nil {
			t.Fatal(err)
		}
		return clinic
	}
	small, busy := plain(100), plain(600)
	halfYear := extractors.Window{From: civil.Date{Year: 2025, Month: 7, Day: 1}, To: civil.Date{Year: 2025, Month: 12, Day: 31}}
	year := extractors.Window{From: civil.Date{Year: 2025, Month: 1, Day: 1}, To: halfYear.To}
	var tally tally
	var tried atomic.Int64
	t.Run("each", func(t *testing.T) {
		for _, report := range append(simclinic.Reports(), contract.ActivityReport) {
			clinic, window := small, halfYear
			if fewRows[report] {
				clinic, window = busy, year
			}
			t.Run(report, func(t *testing.T) {
				t.Parallel()
				tried.Add(changeFiles(t, &tally, clinic, report, window))
			})
		}
	})
	t.Logf("%d files", tried.Load())
	tally.write(t, "files")
}

// changeFiles is the test for one report. It says how many files it tried.
func changeFiles(t *testing.T, tally *tally, clinic *simclinic.Clinic, report string, window extractors.Window) (tried int64) {
	t.Helper()
	reader := readerOf(t, clinic)
	var err error
	table := activityTable(window)
	if report != contract.ActivityReport {
		if table, err = clinic.Table(report, window.From, window.To); err != nil {
			t.Fatal(err)
		}
	}
	read := func(table simclinic.Table, stated int, format string, body func([]byte) []byte) ([]string, *transforms.Batch, error) {
		var out bytes.Buffer
		write := clinic.WriteCSV
		if format == "xlsx" {
			write = clinic.WriteXLSX
		}
		if err := write(&out, table); err != nil {
			t.Fatal(err)
		}
		file := out.Bytes()
		if body != nil {
			file = body(slices.Clone(file))
		}
		name := clinic.FileName(report, window.From, window.To, format)
		batch, err := reader.Read(t.Context(), extractors.Report{
			Name: name, Body: file, Range: window, Complete: true, ObservedOn: window.To, StatedRows: stated,
		})
		if err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the refusal does not name the file: %v", err)
			}
			return nil, nil, err
		}
		return rowsOf(t, batch), batch, nil
	}
	for i, format := range simclinic.Formats() {
		if i > 0 && !slices.Contains(simclinic.Reports()[:5], report) && os.Getenv("FALLOFF_LONG") == "" {
			continue // both forms are read by the same code, which the first five reports show
		}
		want, _, err := read(table, len(table.Rows), format, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range portal.FileMutations(table.Headers) {
			if format == "xlsx" && (m.Body != nil || m.Class == "swapped") { // what is swapped is swapped in both
				continue
			}
			tried++
			changed := table
			if m.Table != nil {
				changed = m.Table(table)
			}
			got, batch, err := read(changed, len(table.Rows), format, m.Body)
			inQuarantine := 0
			if batch != nil {
				inQuarantine = len(batch.Quarantine)
			}
			o := judge(err, got, want, inQuarantine)
			if o == wrong && slices.Contains(alike[report], m.Name) {
				o = notTold
			}
			tally.add(m.Class, m.Name, o)
			switch {
			case o == wrong:
				t.Errorf("%s as %s, %s: %s: wrong data was read (%d rows, %d of them as they should be)", report, format, m.Class, m.Name, len(got), common(got, want))
			case m.Harmless && o != right:
				t.Errorf("%s as %s: %s: nothing that matters changed, and it ended in %s: %v", report, format, m.Name, o, err)
			}
		}
	}
	return tried
}

// activityTable is a portal's log of nights of ours, with what colleagues did in between.
func activityTable(w extractors.Window) simclinic.Table {
	table := simclinic.Table{Report: contract.ActivityReport, From: w.From, To: w.To, Headers: []string{"Time", "Staff Member", "Activity", "Rows"}}
	add := func(day civil.Date, clock, who, what, rows string) {
		var row []simclinic.Cell
		for _, text := range []string{day.String() + " " + clock + " -0500", who, what, rows} {
			row = append(row, simclinic.Cell{Kind: simclinic.Text, Text: text})
		}
		table.Rows = append(table.Rows, row)
	}
	for day := w.To; day.After(w.To.AddDays(-20)); day = day.AddDays(-1) {
		add(day, "11:20:07", "Robin Vale", "Opened Schedule", "")
		add(day, "03:00:41", theAccount, "Signed out", "")
		for i, report := range []string{"Sales", "Claims"} {
			over := fmt.Sprintf(" for %s to %s", day.AddDays(-90), day)
			add(day, fmt.Sprintf("03:00:3%d", 4-i), theAccount, "Exported "+report+over, strconv.Itoa(40+day.Day+i))
			add(day, fmt.Sprintf("03:00:2%d", 4-i), theAccount, "Ran report "+report+over, strconv.Itoa(40+day.Day+i))
		}
		add(day, "03:00:12", theAccount, "Signed in", "")
	}
	return table
}

// common counts the rows that two sorted lists share.
func common(a, b []string) int {
	n := 0
	for _, row := range a {
		if _, ok := slices.BinarySearch(b, row); ok {
			n++
		}
	}
	return n
}
