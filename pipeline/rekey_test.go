package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// small is a simulated clinic's reports, and its settings with staff under pseudonyms, so that every kind of pseudonym occurs.
type small struct {
	reports handed
	typed   settings.Clinic
}

var exportOnce = sync.OnceValues(func() (small, error) {
	var out small
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From, dials.Seed = 50, civil.Date{Year: 2025, Month: 11, Day: 1}, 3
	clinic, err := simclinic.New(dials)
	if err != nil {
		return out, err
	}
	dir, err := os.MkdirTemp("", "falloff-test-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	if err := clinic.Export(context.Background(), dir, filepath.Join(dir, "truth"), "csv"); err != nil {
		return out, err
	}
	text := strings.Replace(string(clinic.SettingsYAML()), "staff: name\n", "staff: pseudonym\n", 1)
	if out.typed, err = settings.Parse([]byte(text), "clinic.yaml"); err != nil {
		return out, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*_*.csv"))
	if err != nil {
		return out, err
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			return out, err
		}
		out.reports = append(out.reports, extractors.Report{Name: filepath.Base(path), Body: body, StatedRows: -1})
	}
	// What the simulated clinic has none of: payments without a number, an insurer's and a patient's among them, and lines of
	// the activity log.
	guid := clinic.Patients()[0].GUID
	for name, body := range map[string]string{
		"c_transactions.csv": "Type,Date,Processing Date,Patient Guid,Patient,Payer,Payment Method,Applied To,Amount,Tip,Amount Paid to Clinic\n" +
			"Payment,2025-11-20,,,,Blue Shield,EFT,,140.00,,140.00\nPayment,2025-11-21,," + guid + ",,,Cash,,10.00,,10.00\nPayment,2025-11-21,," + guid + ",,,Cash,,10.00,,10.00\n",
		"c_activity.csv": "Time,Staff Member,Activity,Rows\n2025-11-20 08:30:00 -0500,falloff,Signed in,\n",
	} {
		out.reports = append(out.reports, extractors.Report{Name: name, Body: []byte(body), StatedRows: -1})
	}
	slices.SortFunc(out.reports, func(a, b extractors.Report) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
})

func smallReports(t *testing.T) small {
	t.Helper()
	s, err := exportOnce()
	if err != nil || len(s.reports) < 5 {
		t.Fatalf("%d reports: %v", len(s.reports), err)
	}
	return s
}

func land(t *testing.T, site *pipeline.Site, s small) *pipeline.Ingested {
	t.Helper()
	in, err := site.Ingest(t.Context(), s.reports, pipeline.IngestOptions{Source: "test", Settings: &s.typed, Account: "falloff"})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// dataObjects are the names of the objects of all datasets.
func dataObjects(commit *lake.Commit) []string {
	var out []string
	for _, d := range commit.Datasets {
		for _, o := range d.Objects {
			out = append(out, o.Path)
		}
	}
	slices.Sort(out)
	return out
}

// checkRekeyed says whether a clinic is at a version as if it had never been at another: a new lake made of the same reports
// with the same keys has the same objects, and the reports change nothing when they come again.
func checkRekeyed(t *testing.T, store lake.Store, o pipeline.SiteOptions, version int) {
	t.Helper()
	ctx, s := t.Context(), smallReports(t)
	site, err := pipeline.OpenSiteOn(ctx, store, o)
	if err != nil {
		t.Fatal(err)
	}
	head, err := site.Clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if site.Keys.Version != version || head.PseudonymVersion() != version {
		t.Fatalf("keys of version %d, a commit of version %d, want %d", site.Keys.Version, head.PseudonymVersion(), version)
	}
	if err := site.Clinic.Snapshot(head).Verify(ctx); err != nil {
		t.Fatal(err)
	}
	fresh, err := pipeline.OpenSiteOn(ctx, &storetest.Memory{}, o)
	if err != nil {
		t.Fatal(err)
	}
	land(t, fresh, s)
	anew, err := fresh.Clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dataObjects(head), dataObjects(anew); !slices.Equal(got, want) || len(got) < 8 {
		t.Errorf("objects\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if in := land(t, site, s); in.Changed {
		t.Errorf("the same reports changed something: %+v", in.Merged)
	}
}

func TestRekey(t *testing.T) {
	ctx, s := t.Context(), smallReports(t)
	store, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: t.TempDir()}
	site, err := pipeline.OpenSiteOn(ctx, store, o)
	if err != nil {
		t.Fatal(err)
	}
	land(t, site, s)
	if _, err := site.Build(ctx, pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	before, err := site.Clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	marts := ledgerOf(t, site)
	for version := 2; version <= 3; version++ {
		earlier, err := pipeline.OpenSiteOn(ctx, store, o) // a run that is still going on
		if err != nil {
			t.Fatal(err)
		}
		done, err := site.Rekey(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if done.Version != version || done.Pseudonyms < 50 || done.Rows[contract.Appointments] < 100 || done.Rows[contract.ShiftPeriods] == 0 || done.Rows[contract.Payments] == 0 || done.Rows[contract.PortalActivity] != 1 {
			t.Errorf("%+v", done)
		}
		if _, err := earlier.Ingest(ctx, s.reports, pipeline.IngestOptions{Source: "test", Settings: &s.typed}); !errors.Is(err, lake.ErrOtherKeys) {
			t.Errorf("a writer with the earlier keys: %v", err)
		}
		checkRekeyed(t, store, o, version)
	}
	// What it was is still there, as one moment; what it is now builds to the same ledger.
	then, err := site.Clinic.At(ctx, before.Number)
	if err != nil || then.PseudonymVersion() != 1 {
		t.Errorf("the earlier commit: %v", err)
	}
	head, err := site.Clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(head.Marts) > 0 {
		t.Errorf("marts with earlier pseudonyms are live: %v", slices.Collect(maps.Keys(head.Marts)))
	}
	if _, err := site.Build(ctx, pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	compare(t, "ledger", marts, ledgerOf(t, site))
}

func ledgerOf(t *testing.T, site *pipeline.Site) []string {
	t.Helper()
	view, err := site.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = view.Close() }()
	_, rows, err := view.Query(t.Context(), "select category || ' ' || occurred_on || ' ' || amount_cents from marts.leak_ledger where category <> 'falloff'")
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r[0].(string)
	}
	if len(out) < 10 {
		t.Fatalf("a ledger of %d rows proves little", len(out))
	}
	return out
}

// Killed at any request to the store, a rekey ends right when it is called again, or when the clinic is next opened.
func TestRekeySurvivesEveryFault(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), smallReports(t)
	base, config := &storetest.Memory{}, t.TempDir()
	site, err := pipeline.OpenSiteOn(ctx, base, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
	if err != nil {
		t.Fatal(err)
	}
	land(t, site, s)
	counted := &storetest.Faulty{Store: copyStore(t, base)}
	calls := 0
	if site, err = pipeline.OpenSiteOn(ctx, counted, pipeline.SiteOptions{Clinic: "c", ConfigDir: copyFolder(t, config)}); err != nil {
		t.Fatal(err)
	}
	opening := counted.Calls()
	if _, err := site.Rekey(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if calls = counted.Calls() - opening; calls < 30 {
		t.Fatalf("a rekey makes %d requests: the test proves little", calls)
	}
	finished, repeated := 0, 0
	for fail := 1; fail <= calls; fail++ {
		for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
			store, o := copyStore(t, base), pipeline.SiteOptions{Clinic: "c", ConfigDir: copyFolder(t, config)}
			faulty := &storetest.Faulty{Store: store, Fail: opening + fail, Fault: fault, Dead: true}
			site, err := pipeline.OpenSiteOn(ctx, faulty, o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := site.Rekey(ctx, nil); !errors.Is(err, storetest.ErrInjected) {
				t.Fatalf("killed at request %d: %v", fail, err)
			}
			again, err := pipeline.OpenSiteOn(ctx, store, o)
			if err != nil {
				t.Fatalf("opened after a kill at request %d: %v", fail, err)
			}
			if again.Origin == pipeline.KeysFinished {
				finished++
			} else {
				repeated++
				if again.Keys.Version != 1 {
					t.Fatalf("killed at request %d: version %d", fail, again.Keys.Version)
				}
				if in := land(t, again, s); in.Changed { // work goes on meanwhile
					t.Fatalf("killed at request %d, before the commit: %+v", fail, in)
				}
				if _, err := again.Rekey(ctx, nil); err != nil {
					t.Fatalf("called again after a kill at request %d: %v", fail, err)
				}
			}
			if fail%7 == 0 || fail > calls-3 {
				checkRekeyed(t, store, o, 2)
				continue
			}
			head, err := again.Clinic.Head(ctx)
			if err != nil || head.PseudonymVersion() != 2 {
				t.Fatalf("killed at request %d: version %d, %v", fail, head.PseudonymVersion(), err)
			}
		}
	}
	if finished == 0 || repeated == 0 {
		t.Errorf("%d kills after the commit, %d before", finished, repeated)
	}
}

// Every column that the contract calls a pseudonym is rewritten, and every dataset can be.
func TestEveryPseudonymHasAKind(t *testing.T) {
	var tables []string
	for _, table := range lake.Tables() {
		tables = append(tables, table.Name())
	}
	for _, d := range contract.Datasets() {
		if !slices.Contains(tables, d.Name) {
			t.Errorf("lake.Tables lacks %s", d.Name)
		}
		for _, c := range d.Stored() {
			if kind := pipeline.PseudonymKinds[c.Name]; c.Sensitivity == contract.Pseudonym && kind == "" && !pipeline.PseudonymsInside(c.Name) {
				t.Errorf("column %s of %s is a pseudonym of no kind", c.Name, d.Name)
			} else if kind != "" && kind != identity.Staff && c.Sensitivity != contract.Pseudonym {
				t.Errorf("column %s of %s is no pseudonym", c.Name, d.Name)
			}
		}
	}
}

// A clinic without data gets new keys all the same.
func TestRekeyOfAnEmptyClinic(t *testing.T) {
	ctx := t.Context()
	store, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: t.TempDir()}
	site, err := pipeline.OpenSiteOn(ctx, store, o)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := site.Rekey(ctx, nil); err != nil || done.Commit != 0 || done.Version != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	if site, err = pipeline.OpenSiteOn(ctx, store, o); err != nil || site.Keys.Version != 2 {
		t.Fatalf("version %d, %v", site.Keys.Version, err)
	}
	land(t, site, smallReports(t))
	checkRekeyed(t, store, o, 2)
}
