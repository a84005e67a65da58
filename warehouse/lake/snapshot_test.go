package lake_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func TestASnapshotSeesOneMoment(t *testing.T) {
	clinic := newMemoryClinic(t)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	first := clinic.Snapshot(head(t, clinic))
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 arrived @2026-01-06", "2/0 2026-01-07 booked @2026-01-06")})
	var states []string
	for a, err := range lake.Rows(t.Context(), first, lake.Appointments) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, a.State)
	}
	if !slices.Equal(states, []string{"booked"}) {
		t.Errorf("the first commit now shows %v", states)
	}
	back, err := clinic.At(t.Context(), 1)
	if err != nil || back.Datasets["appointments"].Rows() != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	if body, err := first.Settings(t.Context()); body != nil || err != nil {
		t.Errorf("settings that nobody stored: %q, %v", body, err)
	}
}

func TestMaterialise(t *testing.T) {
	storetest.Gateway(t)
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			clinic := openClinic(t, open(t))
			if err := run(t.Context(), clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01")}); err != nil {
				t.Fatal(err)
			}
			snapshot := clinic.Snapshot(head(t, clinic))
			if err := snapshot.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if body, err := snapshot.Settings(t.Context()); err != nil || string(body) != "clinic: Harbour Street\n" {
				t.Errorf("settings %q, %v", body, err)
			}
			folder := t.TempDir()
			local, err := snapshot.Materialise(t.Context(), lake.Want{Folder: folder})
			if err != nil {
				t.Fatal(err)
			}
			paths := local.Datasets["appointments"]
			if len(paths) != 2 {
				t.Fatalf("%v", paths)
			}
			for i, o := range snapshot.Objects("appointments") {
				got, err := os.ReadFile(paths[i])
				if err != nil {
					t.Fatal(err)
				}
				want, err := clinic.Store().Get(t.Context(), "clinic=harbour-street/"+o.Path)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s is not the object (%v)", paths[i], err)
				}
				if name == "dir" {
					if st, err := os.Stat(paths[i]); err != nil || st.Mode().Perm()&0o077 != 0 {
						t.Errorf("%s: others may read it: %v, %v", paths[i], st.Mode(), err)
					}
					continue
				}
				// It lies in no folder, and nobody can change it.
				if at, err := os.Readlink(paths[i]); err != nil || !strings.HasPrefix(at, "/memfd:") {
					t.Errorf("%s lies at %s, %v", paths[i], at, err)
				}
				if f, err := os.OpenFile(paths[i], os.O_RDWR, 0); err == nil {
					if _, err := f.WriteString("x"); err == nil || f.Truncate(0) == nil {
						t.Errorf("%s can be written to", paths[i])
					}
					f.Close()
				}
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("%v, %v", left, err)
			}
			if err := local.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(paths[0]); name != "dir" && err == nil {
				t.Errorf("Close left %s", paths[0])
			}
			if name == "dir" {
				if _, err := os.Stat(paths[0]); err != nil {
					t.Errorf("Close removed the lake's own object: %v", err)
				}
				return
			}
			if _, err := snapshot.Materialise(t.Context(), lake.Want{Folder: folder, MaxBytes: 100}); err == nil || !strings.Contains(err.Error(), "100 are allowed") {
				t.Errorf("more than the limit was fetched: %v", err)
			}
			some, err := snapshot.Materialise(t.Context(), lake.Want{Folder: folder, Datasets: []string{"claims"}, Marts: []string{"leaks"}})
			if err != nil || len(some.Datasets)+len(some.Marts) > 0 {
				t.Errorf("%+v, %v", some, err)
			}
		})
	}
}

func TestDamagedObjectsAreNamedAndNeverMaterialised(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) lake.Store{"dir": openDir, "memory": openMemory} {
		t.Run(name, func(t *testing.T) {
			clinic := openClinic(t, open(t))
			mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01", "3/0 2026-03-05 booked @2026-01-01")})
			snapshot := clinic.Snapshot(head(t, clinic))
			objects := snapshot.Objects("appointments")
			flipped, err := clinic.Store().Get(t.Context(), "clinic=harbour-street/"+objects[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			flipped = slices.Clone(flipped)
			flipped[len(flipped)/3] ^= 0x10
			replace(t, clinic.Store(), "clinic=harbour-street/"+objects[0].Path, flipped)
			if err := clinic.Store().Delete(t.Context(), "clinic=harbour-street/"+objects[2].Path); err != nil {
				t.Fatal(err)
			}
			err = snapshot.Verify(t.Context())
			if !errors.Is(err, lake.ErrDamaged) || !errors.Is(err, lake.ErrNotFound) || !strings.Contains(err.Error(), objects[0].Path) || !strings.Contains(err.Error(), objects[2].Path) || strings.Contains(err.Error(), objects[1].Path) {
				t.Errorf("%v", err)
			}
			folder := t.TempDir()
			if _, err := snapshot.Materialise(t.Context(), lake.Want{Folder: folder}); err == nil {
				t.Error("a snapshot with a missing object was materialised")
			}
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// Where stored bytes are not the plain ones, everything goes through the one seam: names stay those of the plain bytes.
func TestSealedObjects(t *testing.T) {
	plain, sealed := openClinic(t, openDir(t)), openClinic(t, openDir(t))
	lake.Scramble(sealed)
	for _, clinic := range []*lake.Clinic{plain, sealed} {
		for _, b := range []appointments{
			{Rows: visits("1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01", "4/0 2026-02-06 booked @2026-01-01")},
			{Rows: visits("3/0 2026-01-06 booked @2026-01-02"), Covers: []lake.Cover{cover("2026-02-05", "2026-02-05", "2026-02-06")}},
		} {
			if err := run(t.Context(), clinic, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := storetest.Names(t, plain.Store(), "")
	if got := storetest.Names(t, sealed.Store(), ""); !slices.Equal(got, names) {
		t.Errorf("other names: %v, %v", got, names)
	}
	for _, name := range names {
		body, err := sealed.Store().Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if is := bytes.HasPrefix(body, []byte("sealed")); is == strings.Contains(name, "/commits/") {
			t.Errorf("%s is stored as %.10q", name, body)
		}
	}
	if got, want := show(stored(t, sealed)), show(stored(t, plain)); !slices.Equal(got, want) || len(got) != 3 {
		t.Errorf("%v, %v", got, want)
	}
	snapshot := sealed.Snapshot(head(t, sealed))
	if err := snapshot.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	folder := t.TempDir()
	local, err := snapshot.Materialise(t.Context(), lake.Want{Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	for _, path := range local.Datasets["appointments"] {
		body, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(body, []byte("PAR1")) {
			t.Errorf("%s: %.10q, %v", path, body, err)
		}
	}
}
