package pipeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// stage is a simulated clinic behind its portal, and a folder for all that a run may write: lake, keys, temporary files.
type stage struct {
	dir string
	// scratch is where Chromium writes.
	scratch string
	clinic  *simclinic.Clinic
	staff   *portal.Portal
	url     string
	typed   settings.Clinic
	// said is everything that was shown to a person.
	said bytes.Buffer
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From, dials.Seed = 80, civil.Date{Year: 2025, Month: time.September, Day: 1}, 11
	s := &stage{dir: t.TempDir()}
	var err error
	if s.clinic, err = simclinic.New(dials); err != nil {
		t.Fatal(err)
	}
	if s.typed, err = settings.Parse(s.clinic.SettingsYAML(), "clinic.yaml"); err != nil {
		t.Fatal(err)
	}
	if s.staff, err = portal.New(s.clinic, portal.Options{ExportDelay: portal.DelayRange{Min: time.Millisecond, Max: 20 * time.Millisecond}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.staff.Close)
	url, stop, err := s.staff.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	s.url = url
	// Chromium's sockets need a short path, shorter than a test's own folder.
	if s.scratch, err = os.MkdirTemp("", "fo"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.scratch) })
	if err := os.Mkdir(filepath.Join(s.dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(s.dir, "tmp"))
	return s
}

// run extracts into a lake and builds. Everything that Chromium writes lies in the stage's folder too, so that what stays
// behind would be found.
func (s *stage) run(t *testing.T, lakeAt string) (*pipeline.Ingested, *browser.Ledger) {
	t.Helper()
	site, err := pipeline.OpenSite(t.Context(), s.options(lakeAt, "staged"))
	if err != nil {
		t.Fatal(err)
	}
	return s.extract(t, site)
}

func (s *stage) options(lakeAt, clinic string) pipeline.SiteOptions {
	return pipeline.SiteOptions{
		Unencrypted: true, // what is encrypted hides what should not be there

		Lake: lakeAt, Clinic: clinic, ConfigDir: filepath.Join(s.dir, "config"),
		Now: func() time.Time { return time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC) },
	}
}

// extract extracts into a clinic, the reports of that name or all, and builds.
func (s *stage) extract(t *testing.T, site *pipeline.Site, only ...string) (*pipeline.Ingested, *browser.Ledger) {
	t.Helper()
	ctx := context.Background()
	clerk := portal.DefaultClerk()
	dials := s.clinic.Dials()
	profile, err := jane.DefaultProfile()
	if err != nil {
		t.Fatal(err)
	}
	orders, err := profile.Orders(extractors.Window{From: dials.From, To: dials.To}, 180)
	if err != nil {
		t.Fatal(err)
	}
	if len(only) > 0 {
		orders = slices.DeleteFunc(orders, func(o extractors.Order) bool { return !slices.Contains(only, o.Report) })
	}
	source, err := jane.New(jane.Config{
		BaseURL: s.url, Account: jane.NewCredentials(clerk.Username, clerk.Password), Format: "csv",
		Orders:   orders,
		Browser:  browser.Config{ScratchParent: s.scratch},
		Progress: func(e jane.Event) { fmt.Fprintf(&s.said, "%+v\n", e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	in, err := site.Ingest(ctx, source, pipeline.IngestOptions{
		Source: "portal", Settings: &s.typed, Identities: site.Mode() == pipeline.Recovery, Progress: func(p pipeline.Step) { fmt.Fprintf(&s.said, "%+v\n", p) },
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&s.said, "%+v\n", in)
	if _, err := site.Build(ctx, pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	return in, source.Ledger()
}

// tree gives a digest of each file below a folder, without commits, which hold the time they were made.
func tree(t *testing.T, root string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, "/commits/") || strings.Contains(path, "/keys/") {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		out[rel] = sha256.Sum256(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWholeWayThroughTheBrowser extracts twice from one portal, into two lakes with one clinic key: the lakes must hold objects of
// the same names and bytes; nobody may have opened a forbidden page or written; and no planted identity may be in any
// byte that was written or shown: not even of a clinic in recovery mode, which has first names for who holds their key.
func TestWholeWayThroughTheBrowser(t *testing.T) {
	s := newStage(t)
	first, second := filepath.Join(s.dir, "lake-1"), filepath.Join(s.dir, "lake-2")
	_, ledger := s.run(t, first)
	s.run(t, second)
	s.recover(t)

	a, b := tree(t, first), tree(t, second)
	if len(a) < 20 || !maps.Equal(a, b) {
		for _, name := range slices.Sorted(maps.Keys(a)) {
			if b[name] != a[name] {
				t.Errorf("%s is not in the second lake with the same bytes", name)
			}
		}
		t.Errorf("%d objects in the first lake, %d in the second", len(a), len(b))
	}
	if got := s.staff.Trespasses(); len(got) > 0 {
		t.Errorf("the portal saw %d requests that nobody should have sent, the first %s %s", len(got), got[0].Method, got[0].Path)
	}
	if got := s.staff.PaymentsRecorded(); got != 0 {
		t.Errorf("%d payments were recorded in the portal", got)
	}
	if ledger.Refused() == 0 {
		t.Error("the portal's pages tempt the browser, and nothing was refused: the guard was not there")
	}
	searcher := s.searcher(t)
	hits, err := searcher.Tree(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	inScratch, err := searcher.Tree(s.scratch)
	if err != nil {
		t.Fatal(err)
	}
	hits = append(hits, inScratch...)
	for _, h := range append(hits, searcher.Bytes(s.said.Bytes())...) {
		t.Errorf("a planted identity (%s) is in %q", h.Form, h.File)
	}

	// The search itself must be able to fail: one identity is left behind on purpose.
	name := s.clinic.Patients()[0].LastName
	if err := os.WriteFile(filepath.Join(s.dir, "tmp", "left.log"), []byte("visit of "+name+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if hits, err = searcher.Tree(s.dir); err != nil || len(hits) == 0 {
		t.Errorf("a planted identity was left in a file on purpose and not found (%v)", err)
	}
}

// recover extracts into a clinic in recovery mode.
func (s *stage) recover(t *testing.T) {
	t.Helper()
	options := s.options(filepath.Join(s.dir, "lake-3"), "recovering")
	site, err := pipeline.OpenSite(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.EnterRecovery(t.Context()); err != nil {
		t.Fatal(err)
	}
	if site, err = pipeline.OpenSite(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	s.extract(t, site, "appointments", "sales", "claims")
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(head), lake.Identities) {
		if err != nil || row.FirstName == "" || row.PatientGUID == "" {
			t.Fatalf("a name is missing (%v)", err)
		}
		names++
	}
	if names < 40 {
		t.Errorf("%d names can be read in recovery mode", names)
	}
}

// searcher looks for all that is planted in the portal, and for the identifiers that only pseudonyms may stand for.
func (s *stage) searcher(t *testing.T) *canary.Searcher {
	t.Helper()
	planted := s.clinic.Planted()
	for _, id := range s.clinic.Identifiers() {
		planted = append(planted, id.Value)
	}
	searcher, err := canary.New(planted)
	if err != nil {
		t.Fatal(err)
	}
	return searcher
}

// TestWholeWayOnS3 lands the same reports in a lake on a real S3 server and in one on disk, and compares the ledgers.
func TestWholeWayOnS3(t *testing.T) {
	s := newStage(t)
	config, bucket := storetest.Gateway(t)
	t.Setenv("AWS_ENDPOINT_URL", *config.BaseEndpoint)
	t.Setenv("AWS_REGION", storetest.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", storetest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", storetest.SecretKey)
	ctx := context.Background()
	var ledgers [][]string
	for _, lakeAt := range []string{filepath.Join(s.dir, "lake"), "s3://" + bucket + "/some/prefix"} {
		site, err := pipeline.OpenSite(ctx, pipeline.SiteOptions{Lake: lakeAt, Clinic: "staged", ConfigDir: filepath.Join(s.dir, "config")})
		if err != nil {
			t.Fatal(err)
		}
		reports := exported(t, s.clinic, "csv")
		in, err := site.Ingest(ctx, reports, pipeline.IngestOptions{Source: "test", Settings: &s.typed})
		if err != nil {
			t.Fatal(err)
		}
		again, err := site.Ingest(ctx, reports, pipeline.IngestOptions{Source: "test", Settings: &s.typed})
		if err != nil || again.Changed || again.Commit != in.Commit {
			t.Errorf("%s: importing the same again made commit %d after %d (%v)", lakeAt, again.Commit, in.Commit, err)
		}
		built, err := site.Build(ctx, pipeline.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rebuilt, err := site.Build(ctx, pipeline.BuildOptions{})
		if err != nil || rebuilt.Commit != built.Commit {
			t.Errorf("%s: building the same again made commit %d after %d (%v)", lakeAt, rebuilt.Commit, built.Commit, err)
		}
		view, err := site.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, rows, err := view.Ledger(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var ledger []string
		for _, r := range rows {
			ledger = append(ledger, fmt.Sprint(r...))
		}
		ledgers = append(ledgers, ledger)
		if err := view.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(ledgers[0]) == 0 || !slices.Equal(ledgers[0], ledgers[1]) {
		t.Errorf("%d leaks on disk and %d on S3 differ", len(ledgers[0]), len(ledgers[1]))
	}
	left, err := os.ReadDir(filepath.Join(s.dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), "falloff-lake-") {
			t.Errorf("fetched objects stayed behind in %s", entry.Name())
		}
	}
}
