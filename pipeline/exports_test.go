package pipeline_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/export"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// fullSite is a clinic with everything that an export carries: rows of every dataset that reports bring, texts that CSV and
// spreadsheets trip over, rows that are gone, quarantine.
func fullSite(t *testing.T) *pipeline.Site {
	t.Helper()
	site := testSite(t, "full")
	land(t, site, named(t))
	first := hoursOf("2026-03-01..2026-03-01", "2026-03-05", "=HYPERLINK(1)", 8, `"Quo""te, d"`, 7, "'=apostrophe", 6, "  ; -x | @y", 5, "Ünï ☂ שלום", 4)
	again := hoursOf("2026-03-01..2026-03-01", "2026-03-06", "=HYPERLINK(1)", 8, "'=apostrophe", 6, "Kim", "nonsense")
	for _, r := range []handed{{first}, {again}} {
		if _, err := site.Ingest(t.Context(), r, pipeline.IngestOptions{Source: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	return site
}

// named are the small clinic's reports with staff by name, so that texts of any kind stand in columns.
func named(t *testing.T) small {
	s := smallReports(t)
	s.typed.PseudonymStaff = false
	return s
}

func newest(t *testing.T, site *pipeline.Site) *lake.Commit {
	t.Helper()
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// emptySite is the clinic in another lake that is empty, with the same vault.
func emptySite(t *testing.T, site *pipeline.Site) *pipeline.Site {
	t.Helper()
	other, err := pipeline.OpenSite(t.Context(), pipeline.SiteOptions{Lake: filepath.Join(t.TempDir(), "lake"), Clinic: string(site.Clinic.ID()), Vault: site.Vault})
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func exportTo(t *testing.T, site *pipeline.Site, form export.Form) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if _, err := site.Export(t.Context(), pipeline.ExportOptions{Out: out, Form: form}); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameLake compares what two commits show, apart from their own numbers.
func sameLake(t *testing.T, was, is *lake.Commit) {
	t.Helper()
	if len(was.Datasets) < 12 || was.Datasets[contract.Shifts].Removed == nil || len(was.Quarantine) == 0 {
		t.Fatalf("the clinic does not have what is to be compared: %d datasets, removed %v", len(was.Datasets), was.Datasets[contract.Shifts].Removed)
	}
	for name := range was.Datasets {
		a, b := shown(was.Datasets[name]), shown(is.Datasets[name])
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s was %+v\nis %+v", name, a, b)
		}
	}
	for name := range was.Marts {
		if was.Marts[name].Object.Path != is.Marts[name].Object.Path || was.Marts[name].AsOf != is.Marts[name].AsOf {
			t.Errorf("mart %s was %s, is %s", name, was.Marts[name].Path, is.Marts[name].Path)
		}
	}
	for what, pair := range map[string][2]any{
		"datasets": {len(was.Datasets), len(is.Datasets)}, "marts": {len(was.Marts), len(is.Marts)}, "settings": {was.Settings.Path, is.Settings.Path},
		"as_of": {was.AsOf, is.AsOf}, "sources": {was.Sources, is.Sources}, "quarantine": {was.Quarantine, is.Quarantine},
		"keys": {was.PseudonymVersion(), is.PseudonymVersion()},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s was %v, is %v", what, pair[0], pair[1])
		}
	}
}

// shown is what a dataset shows: the names of its objects, which their content makes, and what is said of them.
func shown(d lake.Dataset) []any {
	out := []any{d.Covers}
	objects := d.Objects
	if d.Removed != nil {
		objects = append(slices.Clone(objects), *d.Removed)
	}
	for _, o := range objects {
		out = append(out, o.Path, o.Month, o.Rows, o.Schema, o.Totals)
	}
	return out
}

// filesUnder are the files of an export but the manifest, whose moments differ, and its README, which names them.
func filesUnder(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at, err := entry.Info()
		if err != nil {
			return err
		}
		if want := fs.FileMode(0o600); entry.IsDir() {
			if at.Mode().Perm() != 0o700 {
				t.Errorf("%s has the mode %v", path, at.Mode())
			}
			return nil
		} else if at.Mode().Perm() != want {
			t.Errorf("%s has the mode %v", path, at.Mode())
		}
		body, err := os.ReadFile(path)
		if name, _ := filepath.Rel(dir, path); name != export.ManifestName && name != "README.txt" {
			out[filepath.ToSlash(name)] = string(body)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// In every form an export makes the same lake again, and that lake the same export.
func TestAnExportMakesTheSameLakeAgain(t *testing.T) {
	t.Parallel()
	site := fullSite(t)
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	was := newest(t, site)
	for _, form := range export.Forms() {
		t.Run(string(form), func(t *testing.T) {
			first := exportTo(t, site, form)
			other := emptySite(t, site)
			in, err := other.ImportExport(t.Context(), first, nil)
			if err != nil {
				t.Fatal(err)
			}
			is := newest(t, other)
			if in.From != was.Number || in.Commit != is.Number || in.Built == nil {
				t.Errorf("it says %+v", in)
			}
			sameLake(t, was, is)
			if err := other.Clinic.Snapshot(is).Verify(t.Context()); err != nil {
				t.Error(err)
			}
			second := exportTo(t, other, form)
			a, b := filesUnder(t, first), filesUnder(t, second)
			if len(a) < 28 || !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
				t.Errorf("%d files, then %d", len(a), len(b))
			}
			for name := range a {
				if a[name] != b[name] {
					t.Errorf("%s differs", name)
				}
			}
			// Reports that were landed before change nothing, and what was removed stays so.
			if in := land(t, other, named(t)); in.Changed {
				t.Errorf("the reports changed the imported lake: %+v", in.Merged)
			}
			// A whole clinic goes into an empty one.
			if _, err := other.ImportExport(t.Context(), first, nil); err == nil || !strings.Contains(err.Error(), "has data already") {
				t.Errorf("importing twice: %v", err)
			}
		})
	}
}

// The keys decide: under others the same person would have two pseudonyms.
func TestAnExportNeedsTheKeysItWasMadeWith(t *testing.T) {
	out := exportTo(t, fullSite(t), export.CSV)
	stranger := testSite(t, "full")
	_, err := stranger.ImportExport(t.Context(), out, nil)
	if _, ok := errors.AsType[*pipeline.KeyError](err); !ok {
		t.Fatalf("got %v", err)
	}
	if _, err := stranger.Clinic.Head(t.Context()); !errors.Is(err, lake.ErrNoCommit) {
		t.Errorf("something landed: %v", err)
	}
}

// tamper changes a file of an export; the manifest is made to agree where honest is set, so that what is inside is judged.
func tamper(t *testing.T, dir, name string, honest bool, change func(string) string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(string(body))
	if changed == string(body) {
		t.Fatalf("%s is as it was", name)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if !honest {
		return
	}
	manifest := filepath.Join(dir, export.ManifestName)
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if v["path"] == name {
				v["bytes"], v["sha256"] = len(changed), sha256Of(changed)
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(m)
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What was changed, cut or made up is refused with its place, and nothing lands.
func TestATamperedExportIsRefused(t *testing.T) {
	t.Parallel()
	site := fullSite(t)
	pristine := map[export.Form]string{}
	for _, form := range export.Forms() {
		pristine[form] = exportTo(t, site, form)
	}
	replace := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	for _, test := range []struct {
		name   string
		form   export.Form
		file   string
		honest bool
		change func(string) string
		want   string
	}{
		{"digest", export.CSV, "datasets/claims.csv", false, replace("p1_", "p1-"), "datasets/claims.csv: it was changed"},
		{"cut", export.JSON, "datasets/claims.jsonl", false, func(s string) string { return s[:len(s)/2] }, "datasets/claims.jsonl: its size is not"},
		{"Parquet byte", export.Parquet, "datasets/policies/undated.parquet", false, func(s string) string { return s[:50] + "x" + s[51:] }, "policies/undated.parquet: it was changed"},
		{"Parquet honest", export.Parquet, "datasets/policies/undated.parquet", true, func(s string) string { return s[:len(s)-9] + "x" + s[len(s)-8:] }, "policies/undated.parquet: damaged"},
		{"Parquet of another dataset", export.Parquet, "datasets/policies/undated.parquet", true, func(string) string {
			body, err := os.ReadFile(filepath.Join(pristine[export.Parquet], "datasets", "insurers", "undated.parquet"))
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}, "policies/undated.parquet"},
		{"unknown column", export.CSV, "datasets/claims.csv", true, replace("claim_id", "first_name"), "datasets/claims.csv, row 1, column first_name: claims has no such column"},
		{"missing column", export.CSV, "datasets/claims.csv", true, replace("claim_id,", ""), "row 1, column claim_id: the column is missing"},
		{"doubled column", export.CSV, "datasets/claims.csv", true, replace("claim_id,invoice_number", "claim_id,claim_id"), "row 1, column claim_id: the column is there twice"},
		{"wrong type", export.CSV, "datasets/accounts_receivable.csv", true, replace("-01,", "-99,"), "datasets/accounts_receivable.csv, row 2, column period_from: it is no day"},
		{"a name for a pseudonym", export.CSV, "datasets/unscheduled_patients.csv", true, func(s string) string {
			at := strings.Index(s, "p1_")
			return s[:at] + "Maria Lopez" + s[at+29:]
		}, "datasets/unscheduled_patients.csv, row 2, column patient: it is no pseudonym of key version 1"},
		{"a formula", export.CSV, "datasets/shifts.csv", true, replace("'=HYPERLINK", "=HYPERLINK"), "column staff_member: it begins a formula"},
		{"too many cells", export.CSV, "datasets/insurers.csv", true, replace("\r\n", "\r\n,"), "datasets/insurers.csv, row 2: it has"},
		{"a row twice", export.JSON, "datasets/policies.jsonl", true, func(s string) string {
			line, _, _ := strings.Cut(s, "\n")
			return line + "\n" + s
		}, "datasets/policies.jsonl, row 2: place policies of clinic full: not as a lake holds it: it stands twice"},
		{"a row less", export.JSON, "datasets/policies.jsonl", true, func(s string) string { _, rest, _ := strings.Cut(s, "\n"); return rest }, "the manifest says"},
		{"unknown member", export.JSON, "datasets/policies.jsonl", true, replace("{", `{"phone":"1",`), "datasets/policies.jsonl, row 1, column phone: policies has no such column"},
		{"wrong kind", export.JSON, "datasets/accounts_receivable.jsonl", true, replace(`"opening_cents":`, `"opening_cents":"x","y":`), "row 1, column opening_cents: it is not of the type BIGINT"},
		{"money", export.JSON, "datasets/accounts_receivable.jsonl", true, replace(`"closing_cents":`, `"closing_cents":1`), "accounts_receivable: it has"},
		{"no JSON", export.JSON, "datasets/policies.jsonl", true, replace("{", "["), "datasets/policies.jsonl, row 1: it is not one JSON object"},
		{"settings", export.CSV, "clinic.yaml", true, replace("currency:", "currency: NOPE #"), "clinic.yaml, line"},
		{"removed", export.CSV, "removed/shifts.csv", true, replace("digest\r\n", "digest\r\nzz"), "removed/shifts.csv, row 2: it is not written as"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(dir, os.DirFS(pristine[test.form])); err != nil {
				t.Fatal(err)
			}
			tamper(t, dir, test.file, test.honest, test.change)
			other := emptySite(t, site)
			_, err := other.ImportExport(t.Context(), dir, nil)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "Maria") {
				t.Errorf("the error repeats the cell: %v", err)
			}
			if _, err := other.Clinic.Head(t.Context()); !errors.Is(err, lake.ErrNoCommit) {
				t.Errorf("something landed: %v", err)
			}
		})
	}
	for name, missing := range map[string]string{"file": "datasets/claims.csv", "manifest": export.ManifestName} {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(pristine[export.CSV])); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, missing)); err != nil {
			t.Fatal(err)
		}
		if _, err := emptySite(t, site).ImportExport(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), missing+": the file is missing") {
			t.Errorf("without the %s: %v", name, err)
		}
	}
}

// An export is there as a whole or not at all, and never put over something else.
func TestAnExportIsWholeOrNotThere(t *testing.T) {
	site := fullSite(t)
	parent := t.TempDir()
	taken := filepath.Join(parent, "taken")
	if err := os.MkdirAll(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(taken, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Export(t.Context(), pipeline.ExportOptions{Out: taken, Form: export.CSV}); !errors.Is(err, export.ErrTaken) {
		t.Errorf("over a letter: %v", err)
	}
	// A lake that cannot be read to the end leaves nothing.
	head := newest(t, site)
	objects := head.Datasets[contract.Policies].Objects
	if err := site.Clinic.Store().Delete(t.Context(), "clinic=full/"+objects[len(objects)-1].Path); err != nil {
		t.Fatal(err)
	}
	for _, form := range export.Forms() {
		if _, err := site.Export(t.Context(), pipeline.ExportOptions{Out: filepath.Join(parent, "half"), Form: form}); err == nil {
			t.Errorf("%s: an export of half a lake", form)
		}
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v was left: %v", entries, err)
	}
}
