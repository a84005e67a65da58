package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// copyStore puts everything that one store has into a new one in memory.
func copyStore(t *testing.T, from lake.Store) *storetest.Memory {
	t.Helper()
	ctx, to := t.Context(), &storetest.Memory{}
	for name, err := range from.List(ctx, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := from.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.Create(ctx, name, body); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func copyFolder(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "config")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(to, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
	return to
}

func keyObjects(t *testing.T, store lake.Store, clinic string) []string {
	t.Helper()
	c, err := lake.Open(store, lake.ClinicID(clinic), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := c.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// earlierPseudonym is what the version of falloff that made testdata/earlier gave the one patient in it.
const (
	earlierPatient   = "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b"
	earlierPseudonym = "p1_mi3amhbjbo6vnwy7duhdqbncpa"
)

// checkMoved says whether an earlier lake has the keys that it was made with, and nothing of where they were.
func checkMoved(t *testing.T, site *pipeline.Site, store lake.Store, config string) {
	t.Helper()
	if got := site.Keys.Pseudonym(identity.Patient, earlierPatient); got != earlierPseudonym {
		t.Errorf("the patient is %s now, and was %s", got, earlierPseudonym)
	}
	if names := keyObjects(t, store, "c"); !slices.Equal(names, []string{"check-1.json"}) {
		t.Errorf("the lake has the keys %v", names)
	}
	if _, err := os.Stat(filepath.Join(config, "clinic-keys")); err == nil {
		t.Error("the copies were left")
	}
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := site.Clinic.Snapshot(head).Verify(t.Context()); err != nil {
		t.Errorf("its objects have other names: %v", err)
	}
}

// A lake of an earlier version, written by that version, opens; its key moves into the vault, and is found there from then on.
func TestEarlierLakesMoveIntoTheVault(t *testing.T) {
	ctx := t.Context()
	earlier, err := lake.OpenDir("testdata/earlier/lake")
	if err != nil {
		t.Fatal(err)
	}
	passphrase := func(context.Context) (secret.Bytes, error) { return secret.FromText("five random words of mine"), nil }
	for name, unlock := range map[string]vault.Unlock{"key file": {}, "passphrase": {Kind: vault.ByPassphrase, Passphrase: passphrase}} {
		t.Run(name, func(t *testing.T) {
			store, config := copyStore(t, earlier), copyFolder(t, "testdata/earlier/keys")
			o := pipeline.SiteOptions{Clinic: "c", ConfigDir: config, Unlock: unlock}
			site, err := pipeline.OpenSiteOn(ctx, store, o)
			if err != nil || site.Origin != pipeline.KeysMoved {
				t.Fatalf("origin %v, %v", site, err)
			}
			checkMoved(t, site, store, config)
			if site, err = pipeline.OpenSiteOn(ctx, store, o); err != nil || site.Origin != pipeline.KeysKnown {
				t.Fatalf("opened again: %v", err)
			}
			checkMoved(t, site, store, config)
		})
	}
	t.Run("without its machine key", func(t *testing.T) {
		store, config := copyStore(t, earlier), t.TempDir()
		_, err := pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
		var keyError *pipeline.KeyError
		if !errors.As(err, &keyError) || !strings.Contains(err.Error(), "sealed by a machine key, and there is no machine key at "+config) {
			t.Fatalf("got %v", err)
		}
		if entries, err := os.ReadDir(config); err != nil || len(entries) > 0 {
			t.Errorf("made %v, %v", entries, err)
		}
	})
	t.Run("with another key in the vault", func(t *testing.T) {
		store, config := copyStore(t, earlier), copyFolder(t, "testdata/earlier/keys")
		if err := os.RemoveAll(filepath.Join(config, "clinic-keys")); err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.OpenSiteOn(ctx, &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: config}); err != nil {
			t.Fatal(err)
		}
		_, err := pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
		if !errors.Is(err, vault.ErrOtherKeys) {
			t.Errorf("got %v", err)
		}
		if names := keyObjects(t, store, "c"); !slices.Equal(names, []string{"clinic-key.json"}) {
			t.Errorf("the lake has the keys %v", names)
		}
	})
	t.Run("a new lake of the same clinic", func(t *testing.T) {
		store, config := &storetest.Memory{}, copyFolder(t, "testdata/earlier/keys")
		site, err := pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
		if err != nil {
			t.Fatal(err)
		}
		if got := site.Keys.Pseudonym(identity.Patient, earlierPatient); got != earlierPseudonym {
			t.Errorf("the patient is %s now, and was %s", got, earlierPseudonym)
		}
	})
}

// Killed at any request to the store, the move goes on where it was.
func TestMovingSurvivesEveryFault(t *testing.T) {
	ctx := t.Context()
	earlier, err := lake.OpenDir("testdata/earlier/lake")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for fail := 1; ; fail++ {
			store, config := copyStore(t, earlier), copyFolder(t, "testdata/earlier/keys")
			o := pipeline.SiteOptions{Clinic: "c", ConfigDir: config}
			faulty := &storetest.Faulty{Store: store, Fail: fail, Fault: fault, Dead: true}
			_, failed := pipeline.OpenSiteOn(ctx, faulty, o)
			site, err := pipeline.OpenSiteOn(ctx, store, o)
			if err != nil {
				t.Fatalf("after a fault at request %d: %v", fail, err)
			}
			checkMoved(t, site, store, config)
			if failed == nil {
				if fail < 4 {
					t.Fatalf("moving took %d requests: the test proves nothing", fail)
				}
				break
			}
		}
	}
}

// A lake never gets a second key, whatever is missing on this machine or in the lake.
func TestNoKeyIsMadeBesideALake(t *testing.T) {
	ctx := t.Context()
	store, config := &storetest.Memory{}, t.TempDir()
	site, err := pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
	if err != nil || site.Origin != pipeline.KeysMade {
		t.Fatalf("origin %v, %v", site, err)
	}
	other := t.TempDir()
	if _, err := pipeline.OpenSiteOn(ctx, &storetest.Memory{}, pipeline.SiteOptions{Clinic: "c", ConfigDir: other}); err != nil {
		t.Fatal(err)
	}
	for what, folder := range map[string]string{"an empty folder": t.TempDir(), "another vault": other} {
		_, err := pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: folder})
		var keyError *pipeline.KeyError
		if !errors.As(err, &keyError) || !strings.Contains(err.Error(), "--config-dir") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := store.Delete(ctx, "clinic=c/keys/check-1.json"); err != nil {
		t.Fatal(err)
	}
	land(t, site, smallReports(t))
	_, err = pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
	if _, ok := errors.AsType[*pipeline.KeyError](err); !ok {
		t.Errorf("without its check: %v", err)
	}
	if names := keyObjects(t, store, "c"); len(names) > 0 {
		t.Errorf("the lake got %v", names)
	}
}

// Racing first openings agree.
func TestRacingOpeningsAgree(t *testing.T) {
	ctx := t.Context()
	store, config := &storetest.Memory{}, t.TempDir()
	checks := make(chan string)
	const racers = 8
	for range racers {
		go func() {
			site, err := pipeline.OpenSiteOn(ctx, store, pipeline.SiteOptions{Clinic: "c", ConfigDir: config})
			if err != nil {
				checks <- fmt.Sprint(err)
				return
			}
			checks <- site.Keys.Check()
		}()
	}
	first := <-checks
	for range racers - 1 {
		if got := <-checks; got != first {
			t.Errorf("%s and %s", got, first)
		}
	}
}
