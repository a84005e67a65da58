package simclinic

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exported exports a small clinic and gives every file's bytes by name.
func exported(t *testing.T, d Dials, format string) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	truth := filepath.Join(dir, "truth", "truth.csv")
	if err := mustClinic(t, d).Export(t.Context(), filepath.Join(dir, "reports"), truth, format); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, pattern := range []string{"reports/*", "reports/.*", "truth/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(path)] = body
		}
	}
	return files
}

func smallDials(seed uint64) Dials {
	d := DefaultDials()
	d.Seed, d.Patients, d.From.Year = seed, 120, 2025
	return d
}

func TestEqualDialsGiveEqualBytes(t *testing.T) {
	for _, format := range Formats() {
		first, second, other := exported(t, smallDials(5), format), exported(t, smallDials(5), format), exported(t, smallDials(6), format)
		if len(first) != len(second) || len(first) < 15 {
			t.Errorf("%d and %d files", len(first), len(second))
		}
		for name, body := range first {
			if !bytes.Equal(body, second[name]) {
				t.Errorf("%s differs from one export to the next", name)
			}
			if bytes.Equal(body, other[name]) {
				t.Errorf("%s is the same for another seed", name)
			}
		}
	}
}

func TestExportedFiles(t *testing.T) {
	files := exported(t, smallDials(5), "csv")
	want := []string{
		"clinic.yaml", "truth.csv", "truth.csv.states.csv",
		"harbour-street-physio_appointments_20250101_20260629.csv", "harbour-street-physio_sales_20250101_20251231.csv",
		"harbour-street-physio_claims_20250101_20251231.csv", "harbour-street-physio_insurance_policies_20250101_20251231.csv",
		"harbour-street-physio_shift_20250101_20250131.csv", "harbour-street-physio_shift_20250201_20250228.csv",
		"harbour-street-physio_shift_20251201_20251231.csv", "harbour-street-physio_transactions_20250201_20250228.csv",
		"harbour-street-physio_applied_unapplied_payments_20250101_20251231.csv", "harbour-street-physio_adjustments_20250101_20251231.csv",
		"harbour-street-physio_write_off_20250101_20251231.csv", "harbour-street-physio_credit_20251231_20251231.csv",
		"harbour-street-physio_accounts_receivable_20251231_20251231.csv", "harbour-street-physio_unscheduled_patients_20251231_20251231.csv",
	}
	for _, name := range want {
		if len(files[name]) == 0 {
			t.Errorf("no file %s", name)
		}
	}
	if len(files) != 3+10+2*12 {
		t.Errorf("%d files, want clinic.yaml, two of truth, ten reports, and twelve months of hours and of transactions", len(files))
	}
	for name, header := range map[string]string{
		"truth.csv": "category,source_id,occurred_on,amount_cents", "truth.csv.states.csv": "patient,date,status",
	} {
		rows, err := csv.NewReader(bytes.NewReader(files[name])).ReadAll()
		if err != nil || len(rows) < 10 || strings.Join(rows[0], ",") != header {
			t.Fatalf("%s: %v, %d rows", name, err, len(rows))
		}
		sorted := slices.IsSortedFunc(rows[1:], func(a, b []string) int {
			return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1])
		})
		if !sorted {
			t.Errorf("%s is not sorted by its first two columns", name)
		}
	}
}

func TestAMonthThatIsNotOverYet(t *testing.T) {
	d := smallDials(5)
	d.From.Day, d.To.Day = 17, 9
	files := exported(t, d, "csv")
	for _, name := range []string{"harbour-street-physio_shift_20250117_20250131.csv", "harbour-street-physio_shift_20251201_20251209.csv"} {
		if _, ok := files[name]; !ok {
			t.Errorf("no file %s", name)
		}
	}
}

func TestStylesAreMixed(t *testing.T) {
	styles := map[Style]bool{}
	shuffled, extra, money := 0, 0, map[MoneyStyle]int{}
	for seed := uint64(1); seed <= 10; seed++ {
		d := smallDials(seed)
		d.Patients = 50
		c := mustClinic(t, d)
		for _, report := range Reports() {
			s := c.styleOf(report)
			styles[s] = true
			money[s.Money]++
			if s.Shuffle != 0 {
				shuffled++
			}
			if s.Extra {
				extra++
			}
		}
	}
	if len(styles) < 110 || shuffled < 35 || shuffled > 85 || extra < 35 || extra > 85 || len(money) != 3 {
		t.Errorf("of 120 reports %d styles, %d shuffled, %d with an extra column, money %v", len(styles), shuffled, extra, money)
	}
}

func TestExportRefusesAFolderOfSomebodyElse(t *testing.T) {
	c := mustClinic(t, smallDials(5))
	for _, name := range []string{"budget.xlsx", "clinic.yaml"} {
		dir := t.TempDir()
		theirs := filepath.Join(dir, name)
		if err := os.WriteFile(theirs, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := c.Export(t.Context(), dir, filepath.Join(t.TempDir(), "truth.csv"), "csv")
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "choose an empty folder") {
			t.Errorf("a folder with %s: %v", name, err)
		}
		if body, _ := os.ReadFile(theirs); string(body) != "mine" {
			t.Errorf("%s was changed", name)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%d entries beside %s", len(entries)-1, name)
		}
	}
}

func TestExportReplacesAnEarlierOne(t *testing.T) {
	dir := t.TempDir()
	truth := filepath.Join(dir, "truth.csv") // among the reports, if somebody wants it there
	long := smallDials(5)
	if err := mustClinic(t, long).Export(t.Context(), dir, truth, "csv"); err != nil {
		t.Fatal(err)
	}
	// What a run that was killed leaves behind.
	if err := os.WriteFile(filepath.Join(dir, partPrefix+"123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	short := long
	short.To.Month = 6
	short.To.Day = 30
	if err := mustClinic(t, short).Export(t.Context(), dir, truth, "csv"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.Contains(entry.Name(), "20251231") || strings.HasPrefix(entry.Name(), partPrefix) {
			t.Errorf("%s is left of the earlier export", entry.Name())
		}
	}
	if len(entries) != 3+10+2*6 {
		t.Errorf("%d files", len(entries))
	}
}

func TestExportThatIsInterrupted(t *testing.T) {
	c := mustClinic(t, smallDials(5))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Export(ctx, dir, filepath.Join(dir, "truth.csv"), "csv"); !errors.Is(err, context.Canceled) {
		t.Errorf("an export without time gives %v", err)
	}
	failing := errors.New("the disk is full")
	path := filepath.Join(dir, "half.csv")
	err := writeWhole(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half a file")
		return failing
	})
	if !errors.Is(err, failing) || !strings.Contains(err.Error(), "half.csv") {
		t.Errorf("a write that fails gives %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("%d files are left behind", len(entries))
	}
	if err := c.Export(t.Context(), dir, path, "pdf"); err == nil || !strings.Contains(err.Error(), "csv xlsx") {
		t.Errorf("an unknown format gives %v", err)
	}
}

// TestNothingIsShared: the truth proves something only if it is worked out apart from what it is compared with.
func TestNothingIsShared(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("listing what the package imports: %v", err)
	}
	const module = "github.com/falloff-analytics/falloff/"
	for dependency := range strings.FieldsSeq(string(out)) {
		own, ok := strings.CutPrefix(dependency, module)
		if ok && own != "extractors/simclinic" {
			t.Errorf("simclinic depends on %s", own)
		}
	}
}
