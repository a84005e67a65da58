package iceberg_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// A process killed at any request of a Sync leaves tables that say what some commit says, and the next Sync makes up for it.
func TestKilledAnywhere(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for fail := 1; ; fail += stride(t) {
			clinic := openMemory(t)
			steps[0](t, clinic)
			mustSync(t, clinic, iceberg.Options{})
			steps[1](t, clinic)
			steps[2](t, clinic)
			steps[4](t, clinic)
			faulty := &storetest.Faulty{Store: clinic.Store(), Fail: fail, Fault: fault, Dead: true}
			_, err := iceberg.Sync(t.Context(), openClinic(t, faulty), iceberg.Options{})
			if faulty.Calls() < fail {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			// What is there can be read and is one of our commits.
			if n := commitOf(t, *load(t, clinic, "lake", "appointments").CurrentSnapshot()); n != 1 && n != 4 {
				t.Errorf("killed at request %d: the table shows commit %d", fail, n)
			}
			mustSync(t, clinic, iceberg.Options{})
			check(t, clinic)
			if t.Failed() {
				t.Fatalf("after a kill at request %d", fail)
			}
		}
	}
}

// damage is something that happens to a table's folder.
var damage = map[string]func(t *testing.T, folder string){
	"everything is lost": func(t *testing.T, folder string) { t.Helper(); removeAll(t, folder, "*") },
	"the metadata is lost": func(t *testing.T, folder string) {
		t.Helper()
		removeAll(t, folder, "v*.metadata.json")
	},
	"the newest metadata is lost": func(t *testing.T, folder string) { t.Helper(); removeAll(t, folder, "v2.metadata.json") },
	"the metadata is garbage": func(t *testing.T, folder string) {
		t.Helper()
		overwrite(t, filepath.Join(folder, "v2.metadata.json"), "{")
	},
	"the hint is lost": func(t *testing.T, folder string) { t.Helper(); removeAll(t, folder, "version-hint.text") },
	"the hint is stale": func(t *testing.T, folder string) {
		t.Helper()
		overwrite(t, filepath.Join(folder, "version-hint.text"), "1")
	},
	"a manifest is lost":   func(t *testing.T, folder string) { t.Helper(); removeAll(t, folder, "00000001-*-manifest.avro") },
	"the lists are lost":   func(t *testing.T, folder string) { t.Helper(); removeAll(t, folder, "*-list.avro") },
	"a manifest is broken": func(t *testing.T, folder string) { t.Helper(); overwriteAll(t, folder, "*-manifest.avro", "Obj") },
}

func removeAll(t *testing.T, folder, pattern string) {
	t.Helper()
	for _, path := range matches(t, folder, pattern) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func overwriteAll(t *testing.T, folder, pattern, text string) {
	t.Helper()
	for _, path := range matches(t, folder, pattern) {
		overwrite(t, path, text)
	}
}

func matches(t *testing.T, folder, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsRepaired(t *testing.T) {
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			clinic, root := openDir(t)
			steps[0](t, clinic)
			steps[1](t, clinic)
			mustSync(t, clinic, iceberg.Options{})
			steps[2](t, clinic)
			steps[4](t, clinic)
			mustSync(t, clinic, iceberg.Options{})
			harm(t, filepath.Join(root, "clinic="+clinicID, "iceberg", "lake", "appointments", "metadata"))
			mustSync(t, clinic, iceberg.Options{Thorough: true})
			check(t, clinic)
			hint, err := os.ReadFile(filepath.Join(root, "clinic="+clinicID, "iceberg", "lake", "appointments", "metadata", "version-hint.text"))
			if err != nil {
				t.Fatal(err)
			}
			if at := load(t, clinic, "lake", "appointments").MetadataLocation(); filepath.Base(at) != "v"+string(hint)+".metadata.json" {
				t.Errorf("the hint says %s, the newest is %s", hint, at)
			}
		})
	}
}

// Writers that work at once lose nothing and double nothing.
func TestWritersRace(t *testing.T) {
	clinic, root := openDir(t)
	for _, step := range steps {
		step(t, clinic)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := iceberg.Sync(context.WithoutCancel(t.Context()), openClinic(t, clinic.Store()), iceberg.Options{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	check(t, clinic)
	// What the losers left goes with the next thorough look.
	mustSync(t, clinic, iceberg.Options{Thorough: true})
	check(t, clinic)
	files := matches(t, filepath.Join(root, "clinic="+clinicID, "iceberg", "lake", "appointments", "metadata"), "*-list.avro")
	if len(files) != 3 {
		t.Errorf("%d lists of manifests are there for 3 snapshots", len(files))
	}
}

func TestRefusals(t *testing.T) {
	t.Run("another program wrote", func(t *testing.T) {
		clinic, root := openDir(t)
		steps[0](t, clinic)
		mustSync(t, clinic, iceberg.Options{})
		path := filepath.Join(root, "clinic="+clinicID, "iceberg", "lake", "appointments", "metadata", "v1.metadata.json")
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, path, strings.Replace(string(body), `"falloff.commit":"1"`, `"engine":"spark"`, 1))
		steps[1](t, clinic)
		if _, err := iceberg.Sync(t.Context(), clinic, iceberg.Options{}); !errors.Is(err, iceberg.ErrForeign) {
			t.Errorf("got %v, want %v", err, iceberg.ErrForeign)
		}
		steps[2](t, clinic)
		mustSync(t, clinic, iceberg.Options{Rebuild: true})
		check(t, clinic)
	})
	t.Run("the folder moved", func(t *testing.T) {
		clinic, root := openDir(t)
		past(t, clinic)
		mustSync(t, clinic, iceberg.Options{})
		moved := filepath.Join(t.TempDir(), "moved")
		if err := os.Rename(root, moved); err != nil {
			t.Fatal(err)
		}
		store, err := lake.OpenStore(t.Context(), moved)
		if err != nil {
			t.Fatal(err)
		}
		clinic = openClinic(t, store)
		if _, err := iceberg.Sync(t.Context(), clinic, iceberg.Options{Thorough: true}); !errors.Is(err, iceberg.ErrMoved) {
			t.Errorf("got %v, want %v", err, iceberg.ErrMoved)
		}
		mustSync(t, clinic, iceberg.Options{Rebuild: true})
		check(t, clinic)
	})
}

// A commit that was let go takes its snapshot with it, unless a later commit shows the same.
func TestSnapshotsGoWithTheirCommits(t *testing.T) {
	clinic, root := openDir(t)
	past(t, clinic)
	mustSync(t, clinic, iceberg.Options{})
	for _, gone := range []string{"1", "2", "3"} { // as gc notes it
		if err := clinic.Store().Create(t.Context(), "clinic="+clinicID+"/dropped/00000000000"+gone, nil); err != nil {
			t.Fatal(err)
		}
	}
	mustSync(t, clinic, iceberg.Options{Thorough: true})
	var commits []int64
	for _, s := range load(t, clinic, "lake", "appointments").Metadata().Snapshots() {
		commits = append(commits, commitOf(t, s))
	}
	if want := []int64{2, 5}; !slices.Equal(commits, want) { // commit 4 shows what 2 brought
		t.Errorf("snapshots are of commits %v, want %v", commits, want)
	}
	files := matches(t, filepath.Join(root, "clinic="+clinicID, "iceberg", "lake", "appointments", "metadata"), "*-list.avro")
	if len(files) != 2 {
		t.Errorf("%d lists of manifests are there for 2 snapshots", len(files))
	}
}

// stride is how far apart the requests are at which a process is killed: one in the long suite, else a number drawn anew each time.
func stride(t *testing.T) int {
	t.Helper()
	if os.Getenv("FALLOFF_LONG") != "" {
		return 1
	}
	return 2 + rand.IntN(5)
}
