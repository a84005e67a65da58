package pipeline_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/transforms"
)

// alike are columns that nothing in a file tells apart (the note in transforms/plausible.go): named here, so that the
// list cannot grow unseen.
var alike = map[string][]string{
	// Two lines that are equal in everything are two sales.
	simclinic.Sales: {"a row twice in place of another"},
	simclinic.Policies: {
		"Number of Treatments and Max Treatments swapped", // patients are treated beyond what a policy covers
		"End Date and Next Appointment swapped",           // both are days, and both may be blank
		"amounts in cents",                                // policies for accidents cover hundreds of visits
	},
	// A clinic with few patients has more breaks than appointments.
	simclinic.Hours: {"Break Total Hours and Appointment Total Hours swapped"},
}

// TestFileMutations changes exported files in every way of the corpus, in both formats where it is not about CSV. Each
// must be read as what the clinic printed, or be refused by name.
func TestFileMutations(t *testing.T) {
	dials := simclinic.DefaultDials()
	dials.Seed, dials.Patients, dials.Style = 3, 100, &simclinic.Style{}
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	reader := readerOf(t, clinic)
	window := extractors.Window{From: civil.Date{Year: 2025, Month: 7, Day: 1}, To: civil.Date{Year: 2025, Month: 12, Day: 31}}
	var tally tally
	tried := 0
	for _, report := range []string{simclinic.Appointments, simclinic.Sales, simclinic.Claims, simclinic.Policies, simclinic.Hours} {
		table, err := clinic.Table(report, window.From, window.To)
		if err != nil {
			t.Fatal(err)
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
		for _, format := range simclinic.Formats() {
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
	}
	t.Logf("%d files", tried)
	tally.write(t, "files")
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
