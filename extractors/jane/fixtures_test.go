package jane_test

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// TestMain lets more tests run at once than there are processors, unless -parallel says otherwise: they wait for pages more
// than they compute.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// canaryName is in every row and on every forbidden page.
const canaryName = "Zebulon-Canary-Quill"

// clinic is a small clinic for the portal to show: one row a day in every report but policies and hours, which have
// seven. It knows nothing of what a row means, and neither does the extractor.
type clinic struct {
	// mark is in every row, so that a test sees from which state of the clinic a file came.
	mark string
}

func (clinic) Name() string            { return "Harbour Street Physio" }
func (clinic) LocationNames() []string { return []string{"North", "South"} }
func (clinic) StaffNames() []string    { return []string{"Avery Stone"} }
func (clinic) Zone() *time.Location    { return time.UTC }
func (clinic) ReportDate() civil.Date  { return civil.Date{Year: 2026, Month: 3, Day: 20} }

func (clinic) Patients() []simclinic.Patient {
	return []simclinic.Patient{{
		Number: 1, FirstName: canaryName, LastName: canaryName, Phone: canaryName, Email: canaryName, Address: canaryName,
		Note: canaryName, Diagnosis: canaryName, Card: canaryName, BirthDate: canaryName,
	}}
}

// telling are the columns, all blank here, by which one report's table is told from another's.
var telling = map[string][]string{
	simclinic.Appointments: {"start_at", "end_at", "patient_guid", "staff_member_name", "state"},
	simclinic.Sales:        {"Purchase Date", "Patient Guid", "Item", "Invoice #", "Subtotal", "Total", "Collected", "Balance"},
	simclinic.Claims:       {"Claim Id", "Invoice #", "Patient Guid", "Insurer", "Folder"},
	simclinic.Policies:     {"Patient Guid", "Policy #", "Status", "End Date"},
	simclinic.Hours:        {"Staff Name", "Shift Total Hours", "Appointment Total Hours"},
	simclinic.Transactions: {"Transaction #", "Patient Guid", "Payment Method", "Amount"},
	simclinic.Applied:      {"Transaction #", "Applied Date", "Invoice #", "Applied Amount"},
	simclinic.Adjustments:  {"Adjustment Date", "Adjustment Type", "Invoice #", "Adjustment Amount"},
	simclinic.WriteOffs:    {"Write Off Date", "Invoice #", "Amount Written Off"},
	simclinic.Credits:      {"Patient Guid", "Credit"},
	simclinic.Receivables:  {"Opening A/R", "Closing A/R"},
	simclinic.Unscheduled:  {"Patient Guid", "Discipline", "Last Visit"},
}

func (c clinic) Table(report string, from, to civil.Date) (simclinic.Table, error) {
	table := simclinic.Table{Report: report, From: from, To: to, Headers: []string{"id", "Location", "Staff Member", "Patient", "Mark"}}
	table.Headers = append(table.Headers, telling[report]...)
	rows := to.DaysSince(from) + 1
	if report == simclinic.Policies || report == simclinic.Hours {
		rows = 7
	}
	for i := range rows {
		row := []string{fmt.Sprint(i + 1), []string{"North", "South"}[i%2], "Avery Stone", canaryName, c.mark}
		var cells []simclinic.Cell
		row = append(row, make([]string, len(telling[report]))...)
		for _, text := range row {
			cells = append(cells, simclinic.Cell{Kind: simclinic.Text, Text: text})
		}
		table.Rows = append(table.Rows, cells)
	}
	return table, nil
}

func (clinic) Printed(_ simclinic.Table, row []simclinic.Cell) (texts []string) {
	for _, cell := range row {
		texts = append(texts, cell.Text)
	}
	return texts
}

func (clinic) FileName(report string, from, to civil.Date, extension string) string {
	compact := strings.NewReplacer("-", "")
	return fmt.Sprintf("harbour_%s_%s_%s.%s", report, compact.Replace(from.String()), compact.Replace(to.String()), extension)
}

func (c clinic) WriteCSV(w io.Writer, t simclinic.Table) error {
	out := csv.NewWriter(w)
	if err := out.Write(t.Headers); err != nil {
		return err
	}
	for _, row := range t.Rows {
		if err := out.Write(c.Printed(t, row)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (c clinic) WriteXLSX(w io.Writer, t simclinic.Table) error {
	book := excelize.NewFile()
	defer book.Close()
	if err := book.SetSheetRow("Sheet1", "A1", &t.Headers); err != nil {
		return err
	}
	for i, row := range t.Rows {
		texts := c.Printed(t, row)
		if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+2), &texts); err != nil {
			return err
		}
	}
	return book.Write(w)
}

// startPortal serves the clinic, with exports that take as good as no time unless the options say otherwise.
func startPortal(t *testing.T, options portal.Options) (p *portal.Portal, url string) {
	t.Helper()
	if options.ExportDelay.Max == 0 {
		options.ExportDelay = portal.DelayRange{Min: time.Millisecond, Max: 2 * time.Millisecond}
	}
	p, err := portal.New(clinic{mark: "first"}, options)
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return p, url
}

var quarter = extractors.Window{From: civil.Date{Year: 2026, Month: 1, Day: 1}, To: civil.Date{Year: 2026, Month: 3, Day: 20}}

// orders plans reports of the default profile over the quarter, all of them if none is named.
func orders(reports ...string) []extractors.Order {
	profile, err := jane.DefaultProfile()
	if err != nil {
		panic(err)
	}
	planned, err := profile.Orders(quarter, 180, reports...)
	if err != nil {
		panic(err)
	}
	return planned
}

// config reads the default clerk's portal, and gives up soon where something does not come.
func config(url string) jane.Config {
	return jane.Config{
		BaseURL: url, Account: jane.NewCredentials("clerk", "correct-horse-battery"), Orders: orders(),
		// No test waits for time to pass.
		Wait:     func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
		Timeouts: jane.Timeouts{Element: 8 * time.Second, Report: 8 * time.Second, Export: 8 * time.Second, Download: 8 * time.Second, SignOut: time.Minute},
	}
}

// read runs a source to its end and collects what it gave.
func read(t *testing.T, cfg jane.Config) (reports []extractors.Report, ledger *browser.Ledger, err error) {
	t.Helper()
	source, err := jane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = source.Reports(t.Context(), func(r extractors.Report) error {
		reports = append(reports, r)
		return nil
	})
	return reports, source.Ledger(), err
}

// wantCause fails unless an error is a Failure of a cause, with a hint, and without anything that identifies anybody.
func wantCause(t *testing.T, err error, cause extractors.Cause) (failure *extractors.Failure) {
	t.Helper()
	if !errors.As(err, &failure) || failure.Cause != cause {
		t.Fatalf("got %v, want %s", err, cause)
	}
	if failure.Hint == "" || failure.Doing == "" {
		t.Errorf("%v does not say what was being done and what to do", err)
	}
	for _, secret := range []string{canaryName, "clerk", "correct-horse-battery", "wrong-horse", appSecret, otherSecret} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds %q: %v", secret, err)
		}
	}
	return failure
}

// wantHarmless fails if the portal received anything that a read-only clerk does not send, or was left signed in.
func wantHarmless(t *testing.T, p *portal.Portal) {
	t.Helper()
	for _, r := range p.Trespasses() {
		t.Errorf("the portal received %s %s (%s)", r.Method, r.Path, r.Nature)
	}
	if n := p.LiveSessions(); n != 0 {
		t.Errorf("%d sessions are still signed in", n)
	}
}

// wantNothingLeft fails if a browser's directory is left.
func wantNothingLeft(t *testing.T, parent string) {
	t.Helper()
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// events collects progress.
type events struct {
	mu  sync.Mutex
	all []jane.Event
}

func (e *events) add(event jane.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// shortDir is a directory for the test with a name short enough for Chromium's sockets, which t.TempDir's is not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
