package jane_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// TestReadsEveryReport walks the whole way once and looks at everything that must hold of it.
func TestReadsEveryReport(t *testing.T) {
	p, url := startPortal(t, portal.Options{ExportDelay: portal.DelayRange{Min: 200 * time.Millisecond, Max: 250 * time.Millisecond}})
	scratch, tmp := shortDir(t), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var told events
	cfg := config(url)
	cfg.Browser.ScratchParent = scratch
	cfg.Progress = told.add
	onDisk := 0
	source, err := jane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var reports []extractors.Report
	err = source.Reports(t.Context(), func(r extractors.Report) error {
		reports = append(reports, r)
		onDisk += len(filesWith(t, canaryName, scratch, tmp))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	// 1 January to 20 March is 79 days; appointments go 180 days on, to 16 September: 259 days.
	day := func(text string) civil.Date {
		d, err := civil.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	window := func(from, to string) extractors.Window { return extractors.Window{From: day(from), To: day(to)} }
	type exported struct {
		name, dataset string
		over          extractors.Window
		rows          int
	}
	want := []exported{
		{"harbour_appointments_20260101_20260916.csv", "appointments", window("2026-01-01", "2026-09-16"), 259},
		{"harbour_sales_20260101_20260320.csv", "invoice_lines", window("2026-01-01", "2026-03-20"), 79},
		{"harbour_claims_20260101_20260320.csv", "claims", window("2026-01-01", "2026-03-20"), 79},
		{"harbour_insurance_policies_20260101_20260320.csv", "policies", window("2026-01-01", "2026-03-20"), 7},
		{"harbour_transactions_20260101_20260131.csv", "payments", window("2026-01-01", "2026-01-31"), 31},
		{"harbour_transactions_20260201_20260228.csv", "payments", window("2026-02-01", "2026-02-28"), 28},
		{"harbour_transactions_20260301_20260320.csv", "payments", window("2026-03-01", "2026-03-20"), 20},
		{"harbour_applied_unapplied_payments_20260101_20260320.csv", "applied_payments", window("2026-01-01", "2026-03-20"), 79},
		{"harbour_adjustments_20260101_20260320.csv", "adjustments", window("2026-01-01", "2026-03-20"), 79},
		{"harbour_write_off_20260101_20260320.csv", "write_offs", window("2026-01-01", "2026-03-20"), 79},
		{"harbour_credit_20260320_20260320.csv", "credits", window("2026-03-20", "2026-03-20"), 1},
		{"harbour_accounts_receivable_20260320_20260320.csv", "accounts_receivable", window("2026-03-20", "2026-03-20"), 1},
		{"harbour_unscheduled_patients_20260320_20260320.csv", "unscheduled_patients", window("2026-03-20", "2026-03-20"), 1},
		{"harbour_shift_20260101_20260131.csv", "shifts", window("2026-01-01", "2026-01-31"), 7},
		{"harbour_shift_20260201_20260228.csv", "shifts", window("2026-02-01", "2026-02-28"), 7},
		{"harbour_shift_20260301_20260313.csv", "shifts", window("2026-03-01", "2026-03-13"), 7},
	}
	// A week of hours is read by the day.
	for d := day("2026-03-14"); !d.After(day("2026-03-20")); d = d.AddDays(1) {
		want = append(want, exported{"harbour_shift_" + strings.ReplaceAll(d.String()+"_"+d.String(), "-", "") + ".csv", "shifts", extractors.Window{From: d, To: d}, 7})
	}
	// The portal's log is about our own time, not the clinic's.
	want = append(want, exported{"harbour_activity_20260101_20260320.csv", "portal_activity", window("2026-01-01", "2026-03-20"), 0})
	if len(reports) != len(want) {
		t.Fatalf("%d reports came, want %d", len(reports), len(want))
	}
	for i, w := range want {
		r := reports[i]
		if r.Name != w.name || r.Dataset != w.dataset || r.Range != w.over || r.StatedRows != w.rows || !r.Complete || r.ObservedOn != day("2026-03-20") {
			t.Errorf("report %d is %s, %s, %s, %d rows, complete %v, observed %s; want %+v", i, r.Name, r.Dataset, r.Range, r.StatedRows, r.Complete, r.ObservedOn, w)
		}
		rows, err := csv.NewReader(bytes.NewReader(r.Body)).ReadAll()
		if err != nil || len(rows) != w.rows+1 {
			t.Errorf("%s holds %d rows, %v; want a header and %d", r.Name, len(rows), err, w.rows)
		}
	}

	wantHarmless(t, p)
	wantNothingLeft(t, scratch)
	if onDisk > 0 || len(filesWith(t, canaryName, tmp)) > 0 {
		t.Error("a patient's name reached a disk")
	}
	if n := len(p.SignIns()); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
	steps := []jane.Step{}
	for _, e := range told.all {
		if e.Step != jane.Remark && (len(steps) == 0 || steps[len(steps)-1] != e.Step) {
			steps = append(steps, e.Step)
		}
	}
	once := []jane.Step{jane.OpenReport, jane.AwaitExport, jane.Downloaded}
	wantSteps := slices.Concat([]jane.Step{jane.StartBrowser, jane.SignIn, jane.CheckAccess}, slices.Repeat(once, len(want)), []jane.Step{jane.SignOut})
	if !slices.Equal(steps, wantSteps) {
		t.Errorf("progress told of %v", steps)
	}

	// The application tempts: it prefetches patients, shows a photo, sends beacons, opens a socket. All of it is stopped
	// and counted, and nothing that is counted names anybody.
	refused := map[string]int{}
	for _, e := range source.Ledger().Entries() {
		if !e.Allowed {
			refused[string(e.Wall)+" "+e.Method+" "+e.Host+" "+e.Path] += e.Count
		}
		if strings.Contains(e.Path, "harbour") || strings.Contains(e.Path, "2026") {
			t.Errorf("the ledger says too much: %+v", e)
		}
	}
	for _, wanted := range []string{
		"browser GET portal /api/schedule", "browser POST portal /api/telemetry", "browser GET portal /api/patients/:id/photo",
		"proxy CONNECT portal /",
	} {
		if refused[wanted] == 0 {
			t.Errorf("%s was not refused; refused were %v", wanted, refused)
		}
	}
	// The clinic sees what we did in its own log, and sees nothing else.
	for _, e := range p.Activity() {
		if e.Account != "clerk" {
			t.Errorf("the activity log has an entry of somebody else: %+v", e)
		}
	}
}

func TestReadsExcelFiles(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	cfg := config(url)
	cfg.Format, cfg.Reports = "xlsx", []string{"claims"}
	reports, _, err := read(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 1 || !bytes.HasPrefix(reports[0].Body, []byte("PK\x03\x04")) || !strings.HasSuffix(reports[0].Name, ".xlsx") {
		t.Errorf("got %d reports", len(reports))
	}
	wantHarmless(t, p)
}

func TestPasswordOnASecondScreen(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{PasswordOnSecondScreen: true})
	cfg := config(url)
	cfg.Reports = []string{"transactions"}
	reports, _, err := read(t, cfg)
	if err != nil || len(reports) != 3 {
		t.Errorf("%d reports, %v", len(reports), err)
	}
	wantHarmless(t, p)
}

// TestStaleResults changes the clinic under a result that the portal still remembers.
func TestStaleResults(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	cfg := config(url)
	cfg.Reports = []string{"sales"}
	for _, mark := range []string{"first", "second"} {
		p.ReplaceClinic(clinic{mark: mark})
		reports, _, err := read(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(reports[0].Body, []byte(mark)) {
			t.Errorf("the export does not show the clinic's %s state", mark)
		}
	}
}

func TestRememberedFilters(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	p.SetRemembered("clerk", portal.Filters{From: quarter.From.AddDays(-500), To: quarter.From.AddDays(-400), Location: "North", Staff: "Avery Stone"})
	cfg := config(url)
	cfg.Reports = []string{"sales"}
	reports, _, err := read(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(reports[0].Body, []byte("\n")); n != 80 {
		t.Errorf("the export has %d lines, want a header and 79 rows", n)
	}
}

func TestCallersEnd(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{ExportDelay: portal.DelayRange{Min: time.Minute, Max: 2 * time.Minute}})
	scratch := shortDir(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("a person stopped it")
	cfg := config(url)
	cfg.Browser.ScratchParent = scratch
	var begun time.Time
	cfg.Progress = func(e jane.Event) {
		if e.Step == jane.AwaitExport {
			begun = time.Now()
			cancel(stop)
		}
	}
	source, err := jane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Reports(ctx, func(extractors.Report) error { return nil }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	wantHarmless(t, p)
	wantNothingLeft(t, scratch)

	// Before the browser runs.
	if err := source.Reports(ctx, func(extractors.Report) error { return nil }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	wantNothingLeft(t, scratch)
}

func TestCalleesError(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	source, err := jane.New(config(url))
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	calls := 0
	err = source.Reports(t.Context(), func(extractors.Report) error { calls++; return full })
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	wantHarmless(t, p)
}

func TestPause(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	cfg := config(url)
	cfg.Reports = []string{"sales", "claims"}
	calls := 0
	paused := errors.New("paused")
	cfg.Pause = func(context.Context) error {
		if calls++; calls == 2 {
			return &extractors.Failure{Cause: extractors.Paused, Doing: "waiting", Hint: "resume", Err: paused}
		}
		return nil
	}
	reports, _, err := read(t, cfg)
	wantCause(t, err, extractors.Paused)
	if len(reports) != 1 {
		t.Errorf("%d reports came before the pause", len(reports))
	}
	wantHarmless(t, p)
}

// filesWith lists the files below directories that hold a text.
func filesWith(t *testing.T, text string, dirs ...string) (found []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				// A running browser's files come and go.
				return nil
			}
			if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
