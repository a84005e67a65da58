package pipeline_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// namedClinic is a clinic whose names and identifiers a test looks for.
type namedClinic struct {
	clinic   *simclinic.Clinic
	reports  handed
	typed    settings.Clinic
	searcher *canary.Searcher
	// first is the first name by the portal's identifier.
	first map[string]string
}

func newNamedClinic(t *testing.T) namedClinic {
	t.Helper()
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From, dials.Seed = 50, civil.Date{Year: 2025, Month: 11, Day: 1}, 9
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	n := namedClinic{clinic: clinic, reports: exported(t, clinic, "csv"), first: map[string]string{}}
	if n.typed, err = settings.Parse(clinic.SettingsYAML(), "clinic.yaml"); err != nil {
		t.Fatal(err)
	}
	planted := clinic.Planted()
	for _, p := range clinic.Patients() {
		n.first[p.GUID] = p.FirstName
		planted = append(planted, p.GUID)
	}
	if n.searcher, err = canary.New(planted); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n namedClinic) land(t *testing.T, site *pipeline.Site) *pipeline.Ingested {
	t.Helper()
	in, err := site.Ingest(t.Context(), n.reports, pipeline.IngestOptions{Source: "test", Settings: &n.typed, Identities: site.Mode() == pipeline.Recovery})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// nowhere looks for any name or identifier in every byte of a store and of folders.
func (n namedClinic) nowhere(t *testing.T, store lake.Store, folders ...string) {
	t.Helper()
	dir := t.TempDir()
	for name, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := store.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, body, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range append(folders, dir) {
		hits, err := n.searcher.Tree(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			t.Errorf("somebody's identity (%s) is in %s", h.Form, h.File)
		}
	}
}

// readable counts the identities that can be read from a commit, and holds each against the clinic.
func (n namedClinic) readable(t *testing.T, site *pipeline.Site, commit *lake.Commit) (rows int) {
	t.Helper()
	for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(commit), lake.Identities) {
		if err != nil {
			t.Fatal(err)
		}
		if rows++; n.first[row.PatientGUID] == "" || n.first[row.PatientGUID] != row.FirstName {
			t.Error("a name is not the one of its identifier")
		}
	}
	return rows
}

func headOf(t *testing.T, site *pipeline.Site) *lake.Commit {
	t.Helper()
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func openOn(t *testing.T, store lake.Store, o pipeline.SiteOptions) *pipeline.Site {
	t.Helper()
	site, err := pipeline.OpenSiteOn(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// recovered is a clinic that was in privacy mode, and then in recovery mode, with data from both.
func recovered(t *testing.T, n namedClinic, store lake.Store, o pipeline.SiteOptions) *pipeline.Site {
	t.Helper()
	site := openOn(t, store, o)
	n.land(t, site)
	if changed, err := site.EnterRecovery(t.Context()); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	site = openOn(t, store, o)
	if !n.land(t, site).Changed {
		t.Fatal("no names landed")
	}
	return site
}

func TestPrivacyIsTheDefault(t *testing.T) {
	t.Parallel()
	n := newNamedClinic(t)
	store, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: t.TempDir()}
	site := openOn(t, store, o)
	if site.Mode() != pipeline.Privacy {
		t.Errorf("a new clinic is in the mode %s", site.Mode())
	}
	// Who asks for names without a key of theirs is refused, rather than given names that lie open.
	var refusal *pipeline.RefusedError
	if _, err := site.Ingest(t.Context(), n.reports, pipeline.IngestOptions{Source: "test", Settings: &n.typed, Identities: true}); !errors.As(err, &refusal) {
		t.Errorf("names without a key: %v", err)
	}
	n.land(t, site)
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, there := headOf(t, site).Datasets[contract.Identities]; there {
		t.Error("there is a dataset of identities")
	}
	n.nowhere(t, store, o.ConfigDir)
}

// In recovery mode names are in their table for who has the key, and in no byte that is written anywhere. Back in privacy
// mode they are nowhere, and everything else of any moment can still be read.
func TestRecoveryAndBack(t *testing.T) {
	t.Parallel()
	n := newNamedClinic(t)
	store, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: t.TempDir()}
	site := recovered(t, n, store, o)
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	named := headOf(t, site)
	if got := n.readable(t, site, named); got < 30 {
		t.Errorf("%d names can be read", got)
	}
	n.nowhere(t, store, o.ConfigDir)

	// Another machine's lake without the key reads everything else.
	without, err := lake.Open(store, "c", lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range lake.Rows(t.Context(), without.Snapshot(named), lake.Identities) {
		if !errors.Is(err, lake.ErrSealed) {
			t.Fatalf("names without the key: %v", err)
		}
		break
	}

	// A rekey brings the names' pseudonyms along, under their own key.
	if _, err := site.Rekey(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := n.readable(t, site, headOf(t, site)), n.readable(t, site, named); got != want {
		t.Errorf("%d names after a rekey, %d before", got, want)
	}
	known := map[string]bool{}
	for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(headOf(t, site)), lake.Appointments) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Patient != nil {
			known[*row.Patient] = true
		}
	}
	for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(headOf(t, site)), lake.Identities) {
		if err != nil || !known[row.Patient] {
			t.Fatalf("a name stands for nobody after a rekey (%v)", err)
		}
	}
	n.nowhere(t, store, o.ConfigDir)

	site = openOn(t, store, o)
	key, err := site.Vault.IdentitiesKey(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	erased, err := site.EnterPrivacy(t.Context())
	if err != nil || erased < 2 {
		t.Fatalf("%d objects erased, %v", erased, err)
	}
	site = openOn(t, store, o)
	if _, err := site.Vault.IdentitiesKey(t.Context(), "c"); !errors.Is(err, vault.ErrNoIdentitiesKey) {
		t.Errorf("the key in the vault: %v", err)
	}
	n.isPrivate(t, site, store, o)
	for number := int64(1); number <= headOf(t, site).Number; number++ {
		commit, err := site.Clinic.At(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(commit), lake.Appointments) {
			if err != nil {
				t.Fatalf("commit %d: %v", number, err)
			}
			rows++
		}
		if rows < 100 {
			t.Errorf("commit %d has %d appointments", number, rows)
		}
	}
	// Asked for again, names are under another key.
	if again, err := site.EnterPrivacy(t.Context()); err != nil || again != 0 {
		t.Errorf("left again: %d, %v", again, err)
	}
	if changed, err := site.EnterRecovery(t.Context()); err != nil || !changed {
		t.Fatalf("entered again: %v, %v", changed, err)
	}
	site = openOn(t, store, o)
	n.land(t, site)
	if got := n.readable(t, site, headOf(t, site)); got < 30 {
		t.Errorf("%d names can be read", got)
	}
	if next, err := site.Vault.IdentitiesKey(t.Context(), "c"); err != nil || next.Equal(key.Bytes) {
		t.Errorf("the key is the one that was destroyed (%v)", err)
	}
}

// isPrivate says of a clinic that it has left recovery mode with nothing left behind.
func (n namedClinic) isPrivate(t *testing.T, site *pipeline.Site, store lake.Store, o pipeline.SiteOptions) {
	t.Helper()
	if site.Mode() != pipeline.Privacy {
		t.Errorf("the clinic is in the mode %s", site.Mode())
	}
	if _, there := headOf(t, site).Datasets[contract.Identities]; there {
		t.Error("the newest commit has identities")
	}
	if names := storetest.Names(t, store, "clinic=c/data/identities/"); len(names) > 0 {
		t.Errorf("objects are left: %v", names)
	}
	if err := site.Clinic.Snapshot(headOf(t, site)).Verify(t.Context()); err != nil {
		t.Error(err)
	}
	n.nowhere(t, store, o.ConfigDir)
}

// Killed at any request to the store, leaving recovery mode is finished by asking for it again.
func TestLeavingRecoverySurvivesEveryFault(t *testing.T) {
	t.Parallel()
	n := newNamedClinic(t)
	base, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: t.TempDir()}
	recovered(t, n, base, o)
	with := func(folder string) pipeline.SiteOptions { return pipeline.SiteOptions{Clinic: "c", ConfigDir: folder} }
	counted := &storetest.Faulty{Store: copyStore(t, base)}
	site := openOn(t, counted, with(copyFolder(t, o.ConfigDir)))
	opening := counted.Calls()
	if _, err := site.EnterPrivacy(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := counted.Calls() - opening
	if calls < 10 {
		t.Fatalf("it makes %d requests: the test proves little", calls)
	}
	halfway := 0
	for fail := 1; fail <= calls; fail++ {
		for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
			store, options := copyStore(t, base), with(copyFolder(t, o.ConfigDir))
			faulty := &storetest.Faulty{Store: store, Fail: opening + fail, Fault: fault, Dead: true}
			site := pipeline.AsProcess(openOn(t, faulty, options), 1)
			// The last requests give back the lease: by then it is done, and nobody need be told.
			if _, err := site.EnterPrivacy(t.Context()); err != nil && !errors.Is(err, storetest.ErrInjected) {
				t.Fatalf("killed at request %d: %v", fail, err)
			}
			site = pipeline.AsProcess(openOn(t, store, options), 2)
			if site.Mode() == pipeline.Privacy {
				halfway++
			}
			if _, err := site.EnterPrivacy(t.Context()); err != nil {
				t.Fatalf("asked for again after a kill at request %d: %v", fail, err)
			}
			n.isPrivate(t, openOn(t, store, options), store, options)
		}
	}
	if halfway == 0 || halfway == 2*calls {
		t.Errorf("the key was gone after %d of %d kills", halfway, 2*calls)
	}
}

// In recovery mode an erased patient's name and identifier go as well, out of every snapshot, version and backup; everybody else's
// stay.
func TestErasingAPatientErasesTheirIdentity(t *testing.T) {
	t.Parallel()
	ctx, n := t.Context(), newNamedClinic(t)
	store, second := &storetest.Memory{}, storeAt{&storetest.Memory{}, "second"}
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := recovered(t, n, store, o)
	patient := someVisitor(t, site)
	if _, err := site.Build(ctx, pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	// What the store holds of names, as it lies; and what it says of this patient when it is opened.
	identityOf := func(site *pipeline.Site) (theirs []contract.Identified, others int) {
		for number := int64(1); number <= headOf(t, site).Number; number++ {
			commit, err := site.Clinic.At(ctx, number)
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range lake.Rows(ctx, site.Clinic.Snapshot(commit), lake.Identities) {
				switch {
				case err != nil:
					t.Fatal(err)
				case row.Patient == patient:
					theirs = append(theirs, row)
				default:
					others++
				}
			}
		}
		return theirs, others
	}
	theirs, others := identityOf(site)
	if len(theirs) == 0 || others == 0 {
		t.Fatalf("%d rows say who it is, %d who others are: the test proves nothing", len(theirs), others)
	}
	lay := map[string]bool{}
	for _, o := range headOf(t, site).Datasets[contract.Identities].Objects {
		body, err := store.Get(ctx, site.Clinic.Name(o.Path))
		if err != nil {
			t.Fatal(err)
		}
		lay[string(body)] = true
	}
	if _, err := site.ErasePatient(ctx, pipeline.ErasePatientOptions{
		SourceID: secret.FromText(theirs[0].PatientGUID), Backups: map[string]lake.Store{"second": second}, Record: unrecorded,
	}); err != nil {
		t.Fatal(err)
	}
	restored := &storetest.Memory{}
	if _, err := pipeline.Restore(ctx, o, second, restored, 0, backup.Moment{}, nil); err != nil {
		t.Fatal(err)
	}
	for where, at := range map[string]lake.Store{"the lake": store, "what the backup gives": restored} {
		if left, still := identityOf(openOn(t, at, o)); len(left) != 0 || still < others {
			t.Errorf("%s: %d rows say who it was, %d who others are, %d before", where, len(left), still, others)
		}
		for name := range contentsOf(t, at, lay) {
			t.Errorf("%s: %s has the bytes that the name lay in", where, name)
		}
	}
	n.nowhere(t, store, o.ConfigDir)
	n.nowhere(t, second)
	// No key that is left opens anything with the name, whatever lies there.
	searcher, err := canary.New([]string{patient, theirs[0].PatientGUID})
	if err != nil {
		t.Fatal(err)
	}
	if err := openOn(t, store, o).Said(ctx, func(name string, said []byte) error {
		hits, err := searcher.Body(name, said)
		for _, h := range hits {
			t.Errorf("the patient (%s) is in %s", h.Form, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// Neither comes back with the same reports.
	if m := n.land(t, openOn(t, store, o)).Merged[contract.Identities]; m.Added != 0 || m.Changed != 0 {
		t.Errorf("the same reports brought names: %+v", m)
	}
	if left, _ := identityOf(openOn(t, store, o)); len(left) != 0 {
		t.Errorf("%d rows say again who it was", len(left))
	}
}

// contentsOf are the names of objects that have one of those contents.
func contentsOf(t *testing.T, store lake.Store, bodies map[string]bool) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, name := range storetest.Names(t, store, "") {
		body, err := store.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if bodies[string(body)] {
			out[name] = true
		}
	}
	return out
}
