package pipeline_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// stocked is a clinic of a folder with a commit of rows and one of models, and the options to open it again.
func stocked(t *testing.T, lakeAt string) (*pipeline.Site, pipeline.SiteOptions) {
	t.Helper()
	some, err := exportOnce()
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.SiteOptions{Lake: lakeAt, Clinic: "harbour", ConfigDir: filepath.Join(t.TempDir(), "config")}
	site, err := pipeline.OpenSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Ingest(t.Context(), some.reports, pipeline.IngestOptions{Source: "test", Settings: &some.typed}); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	return site, o
}

func openStore(t *testing.T, at string) lake.Store {
	t.Helper()
	store, err := lake.OpenStore(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// sameObjects compares what two stores hold of a clinic, byte by byte.
func sameObjects(t *testing.T, a, b lake.Store, clinic lake.ClinicID) {
	t.Helper()
	list := func(store lake.Store) []string {
		return slices.DeleteFunc(storetest.Names(t, store, lake.Prefix(clinic)), func(name string) bool {
			return strings.HasSuffix(name, "/commits/hint") || strings.Contains(name, "/state/backup-lease/")
		})
	}
	names := list(a)
	if other := list(b); len(names) == 0 || strings.Join(names, "\n") != strings.Join(other, "\n") {
		t.Fatalf("%d objects in %s, %d in %s, or other ones", len(names), a, len(other), b)
	}
	for _, name := range names {
		x, err := a.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := b.Get(t.Context(), name); err != nil || string(x) != string(y) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}

var pseudonym = regexp.MustCompile(`p1_[a-z2-7]{4}`)

// TestBackup takes a clinic from a lake on disk and on a real S3 server to the other, and back into a third.
func TestBackup(t *testing.T) {
	config, bucket := storetest.Gateway(t)
	t.Setenv("AWS_ENDPOINT_URL", *config.BaseEndpoint)
	t.Setenv("AWS_REGION", storetest.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", storetest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", storetest.SecretKey)
	for what, c := range map[string]struct{ lake, backup, back string }{
		"from disk to S3": {filepath.Join(t.TempDir(), "lake"), "s3://" + bucket + "/backups/a", filepath.Join(t.TempDir(), "back")},
		"from S3 to disk": {"s3://" + bucket + "/lake", filepath.Join(t.TempDir(), "backup"), "s3://" + bucket + "/back"},
	} {
		t.Run(what, func(t *testing.T) {
			ctx := t.Context()
			site, o := stocked(t, c.lake)
			second := openStore(t, c.backup)
			taken, err := site.Backup(ctx, second, pipeline.BackupOptions{})
			if err != nil || taken.Sent != len(taken.Entries) || taken.Head != 2 {
				t.Fatalf("%+v, %v", taken, err)
			}
			if taken, err = site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil || taken.Sent != 0 {
				t.Fatalf("sent again: %d objects, %v", taken.Sent, err)
			}
			back := openStore(t, c.back)
			restored, err := pipeline.Restore(ctx, o, second, back, 0, backup.Moment{}, nil)
			if err != nil || restored.Commit != 2 {
				t.Fatalf("%+v, %v", restored, err)
			}
			sameObjects(t, site.Clinic.Store(), back, "harbour")
			o.Lake = c.back
			again, err := pipeline.OpenExistingSite(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			view, err := again.Open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, rows, err := view.Ledger(ctx); err != nil || len(rows) == 0 {
				t.Errorf("%d leaks, %v", len(rows), err)
			}
			if err := view.Close(); err != nil {
				t.Error(err)
			}
			// Nothing of a backup is the lake's bytes: staff and amounts lie in no name and no byte.
			for _, name := range storetest.Names(t, second, backup.Root) {
				body, err := second.Get(ctx, name)
				if err != nil {
					t.Fatal(err)
				}
				// Three bytes alone stand in a megabyte of any ciphertext once in sixteen times.
				if pseudonym.Match(body) || strings.Contains(name, "p1_") {
					t.Errorf("%s shows a pseudonym", name)
				}
				for _, plain := range []string{"PAR1", "appointments", "created_at"} {
					if strings.Contains(string(body), plain) || strings.Contains(name, plain) {
						t.Errorf("%s shows %q", name, plain)
					}
				}
			}
		})
	}
}

func TestBackupNeedsItsVault(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	site, o := stocked(t, filepath.Join(dir, "lake"))
	second := openStore(t, filepath.Join(dir, "second"))
	if _, err := site.Backup(ctx, openStore(t, filepath.Join(dir, "lake", "inside")), pipeline.BackupOptions{}); err == nil {
		t.Error("a lake was backed up into itself")
	}
	if _, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	// Rotating keeps what lies elsewhere readable, also where the older keys of this machine are dropped.
	if err := site.Vault.Rotate(ctx, o.Unlock, true); err != nil {
		t.Fatal(err)
	}
	back := openStore(t, filepath.Join(dir, "back"))
	if _, err := pipeline.Restore(ctx, o, second, back, 0, backup.Moment{}, nil); err != nil {
		t.Fatalf("after rotating the vault: %v", err)
	}
	if taken, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil || taken.Sent != 0 {
		t.Errorf("after rotating the vault %d objects were sent again, %v", taken.Sent, err)
	}
	for what, prepare := range map[string]func(o *pipeline.SiteOptions){
		"an empty vault": func(*pipeline.SiteOptions) {},
		"a vault with other keys of it": func(o *pipeline.SiteOptions) {
			other, another := stocked(t, filepath.Join(t.TempDir(), "lake"))
			if _, err := other.Backup(ctx, &storetest.Memory{}, pipeline.BackupOptions{}); err != nil {
				t.Fatal(err)
			}
			o.ConfigDir = another.ConfigDir
		},
	} {
		wrong := o
		wrong.ConfigDir = filepath.Join(t.TempDir(), "config")
		prepare(&wrong)
		to := &storetest.Memory{}
		_, err := pipeline.Restore(ctx, wrong, second, to, 0, backup.Moment{}, nil)
		if _, key := errors.AsType[*pipeline.KeyError](err); !key || !strings.Contains(err.Error(), "--config-dir") {
			t.Errorf("%s: %v", what, err)
		}
		if names := storetest.Names(t, to, ""); len(names) > 0 {
			t.Errorf("%s: %v was written", what, names)
		}
		if _, err := os.Stat(filepath.Join(wrong.ConfigDir, "vault.json")); what == "an empty vault" && err == nil {
			t.Error("a vault was made for a restore")
		}
	}
	// A lake that is half restored is no clinic.
	half := openStore(t, filepath.Join(dir, "half"))
	if err := half.Create(ctx, backup.RestoringName("harbour"), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	o.Lake = filepath.Join(dir, "half")
	_, err := pipeline.OpenSite(ctx, o)
	if _, is := errors.AsType[*pipeline.BarredError](err); !is || !strings.Contains(err.Error(), "is being restored") {
		t.Errorf("a half restored lake opens: %v", err)
	}
}

// A clinic that lay unencrypted and was restored is read without --unencrypted, also after a patient was erased from its backup, and
// written to only with it.
func TestARestoredPlainLake(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	some, err := exportOnce()
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.SiteOptions{Lake: filepath.Join(dir, "lake"), Clinic: "harbour", ConfigDir: filepath.Join(dir, "config"), Unencrypted: true}
	site, err := pipeline.OpenSite(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	land(t, site, some)
	patient, second := someVisitor(t, site), openStore(t, filepath.Join(dir, "second"))
	theirs, all := visits(t, site, patient)
	if _, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	restore := func(into string) (pipeline.SiteOptions, lake.Store) {
		without := pipeline.SiteOptions{Lake: filepath.Join(dir, into), Clinic: "harbour", ConfigDir: o.ConfigDir}
		store := openStore(t, without.Lake)
		if _, err := pipeline.Restore(ctx, without, second, store, 0, backup.Moment{}, nil); err != nil {
			t.Fatal(err)
		}
		return without, store
	}
	check := func(o pipeline.SiteOptions, store lake.Store, wantTheirs, wantAll int) {
		t.Helper()
		opened, err := pipeline.OpenExistingSite(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if n, of := visits(t, opened, patient); n != wantTheirs || of != wantAll {
			t.Errorf("%d of %d visits are the patient's, want %d of %d", n, of, wantTheirs, wantAll)
		}
		before := storetest.Names(t, store, "")
		other := some.typed
		other.Currency = "USD"
		write := pipeline.IngestOptions{Source: "test", Settings: &other}
		if _, err := opened.Ingest(ctx, some.reports, write); !errors.Is(err, lake.ErrPlainLake) {
			t.Errorf("written to without --unencrypted: %v", err)
		}
		if after := storetest.Names(t, store, "clinic=harbour/commits"); len(after) == 0 || !slices.Equal(after, slices.DeleteFunc(before, func(name string) bool { return !strings.HasPrefix(name, "clinic=harbour/commits") })) {
			t.Errorf("a refused import left %v", after)
		}
		o.Unencrypted = true
		with, err := pipeline.OpenExistingSite(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if in, err := with.Ingest(ctx, some.reports, write); err != nil || !in.Changed {
			t.Errorf("with it: %v", err)
		}
		if n, of := visits(t, with, patient); n != wantTheirs || of != wantAll {
			t.Errorf("after an import %d of %d visits are the patient's, want %d of %d", n, of, wantTheirs, wantAll)
		}
	}
	again, store := restore("again")
	sameObjects(t, site.Clinic.Store(), store, "harbour")
	check(again, store, theirs, all)

	if _, err := site.ErasePatient(ctx, pipeline.ErasePatientOptions{Pseudonym: patient, Backups: map[string]lake.Store{"second": second}, Record: unrecorded}); err != nil {
		t.Fatal(err)
	}
	erased, store := restore("erased")
	check(erased, store, 0, all-theirs)
}
