package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

const harbour = lake.ClinicID("harbour")

func newKeys(t testing.TB, names byte) backup.Keys {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	return backup.Keys{Seal: seal, Names: secret.Own(bytes.Repeat([]byte{names}, 32))}
}

var start = time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC)

func open(t testing.TB, store lake.Store) *lake.Clinic {
	t.Helper()
	day := 0
	clinic, err := lake.Open(store, harbour, lake.Options{NamingKey: make([]byte, 32), Now: func() time.Time {
		day++
		return start.AddDate(0, 0, day)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return clinic
}

// commit makes a commit that names one object.
func commit(t *testing.T, clinic *lake.Clinic, text string) {
	t.Helper()
	if _, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		return tx.PutSettings(ctx, []byte(text))
	}); err != nil {
		t.Fatal(err)
	}
}

// filled is a lake with a clinic of some commits, and with all that lies beside them.
func filled(t *testing.T) *storetest.Memory {
	t.Helper()
	ctx, store := t.Context(), &storetest.Memory{}
	clinic := open(t, store)
	create(t, store, "clinic=harbour/keys/check-1.json", "{}")
	for _, text := range []string{"one", "two", "three", "four", "four", "five"} {
		commit(t, clinic, strings.Repeat(text, 100))
	}
	for i := range int64(3) {
		for _, name := range []string{"hold", "lease", "backup-lease", "extraction"} {
			if _, err := clinic.Register(name).Swap(ctx, i, fmt.Appendf(nil, "%s %d", name, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	create(t, store, "clinic=harbour/staging/run/000001", "half a run")
	create(t, store, "clinic=harbour/settings/nobodynamesit", "left over")
	create(t, store, "clinic=harbour/redirects/data/claims/month=2026-01/"+strings.Repeat("a", 52)+".parquet", "data/claims/month=2026-01/"+strings.Repeat("b", 52)+".parquet")
	create(t, store, "clinic=other/keys/check-1.json", "another clinic's")
	create(t, store, "agreements/harbour/1-1.json", "accepted")
	create(t, store, "agreements/other/1-1.json", "accepted by another")
	log := audit.Open(store, nil)
	for range 3 {
		if _, err := log.Append(ctx, audit.Entry{Person: "Ada Vale", Action: audit.Paused, Clinic: "harbour"}); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func create(t *testing.T, store lake.Store, name, body string) {
	t.Helper()
	if err := store.Create(t.Context(), name, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

// contents is everything in a store.
func contents(t *testing.T, store lake.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range storetest.Names(t, store, "") {
		body, err := store.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(body)
	}
	return out
}

// belongs is what a restore of everything must bring back of a lake.
func belongs(all map[string]string) map[string]string {
	out := map[string]string{}
	for name, body := range all {
		switch {
		case strings.HasPrefix(name, "clinic=other/"), strings.HasPrefix(name, "agreements/other/"),
			strings.HasPrefix(name, "clinic=harbour/staging/"), strings.HasSuffix(name, "/commits/hint"), strings.HasSuffix(name, "nobodynamesit"),
			strings.Contains(name, "/state/lease/"), strings.Contains(name, "/state/backup-lease/"), strings.Contains(name, "/state/extraction/"),
			strings.Contains(name, "/state/hold/") && !strings.HasSuffix(name, "000003"), strings.HasPrefix(name, backup.Root):
		default:
			out[name] = body
		}
	}
	return out
}

func equal(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, body := range want {
		if is, there := got[name]; !there {
			t.Errorf("%s: %s is missing", what, name)
		} else if is != body {
			t.Errorf("%s: %s has other bytes", what, name)
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			t.Errorf("%s: %s is there too", what, name)
		}
	}
}

func options() backup.Options { return backup.Options{Now: start, Writer: "w"} }

func take(t *testing.T, from, to lake.Store, keys backup.Keys) *backup.Taken {
	t.Helper()
	taken, err := backup.At(to, harbour, keys).Take(t.Context(), open(t, from), options())
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func restore(t *testing.T, from, to lake.Store, keys backup.Keys, number int64, when backup.Moment) (*backup.Restored, error) {
	t.Helper()
	view, err := backup.At(from, harbour, keys).Open(t.Context(), number)
	if err != nil {
		return nil, err
	}
	return view.Restore(t.Context(), open(t, view), to, when, nil)
}

func mustRestore(t *testing.T, from, to lake.Store, keys backup.Keys, number int64, when backup.Moment) *backup.Restored {
	t.Helper()
	restored, err := restore(t, from, to, keys, number, when)
	if err != nil {
		t.Fatal(err)
	}
	return restored
}

func TestEverythingComesBack(t *testing.T) {
	primary, second, keys := filled(t), &storetest.Memory{}, newKeys(t, 1)
	taken := take(t, primary, second, keys)
	if taken.Number != 1 || taken.Head != 6 || taken.Sent != len(taken.Entries) {
		t.Errorf("took %+v", taken)
	}
	for name, body := range contents(t, second) {
		if !strings.HasPrefix(name, "backups/harbour/") || lake.ValidName(name) != nil {
			t.Errorf("%s lies outside", name)
		}
		for _, plain := range []string{"fourfour", "accepted", "hold 2", "writer", "settings", "Ada"} {
			if strings.Contains(body, plain) || strings.Contains(name, plain) {
				t.Errorf("%s shows %q", name, plain)
			}
		}
	}
	target := &storetest.Memory{}
	if restored := mustRestore(t, second, target, keys, 0, backup.Moment{}); restored.Commit != 6 || restored.OwnAudit {
		t.Errorf("restored %+v", restored)
	}
	equal(t, "restored", contents(t, target), belongs(contents(t, primary)))

	// A second backup sends what is new.
	again := take(t, primary, second, keys)
	if again.Sent != 0 || again.Number != 2 {
		t.Errorf("the second backup sent %d objects, as number %d", again.Sent, again.Number)
	}
	commit(t, open(t, primary), "six")
	third := take(t, primary, second, keys)
	if third.Sent != 2 { // the commit and its object
		t.Errorf("the third backup sent %d objects", third.Sent)
	}
	target = &storetest.Memory{}
	mustRestore(t, second, target, keys, 0, backup.Moment{})
	equal(t, "restored after three", contents(t, target), belongs(contents(t, primary)))
}

func TestPastMoments(t *testing.T) {
	primary, second, keys := filled(t), &storetest.Memory{}, newKeys(t, 1)
	take(t, primary, second, keys)
	for what, c := range map[string]struct {
		when backup.Moment
		want int64
		body string
	}{
		"a number": {backup.Moment{Commit: 2}, 2, "two"},
		"a time":   {backup.Moment{At: start.AddDate(0, 0, 3).Add(time.Hour)}, 3, "three"},
	} {
		t.Run(what, func(t *testing.T) {
			target := &storetest.Memory{}
			if restored := mustRestore(t, second, target, keys, 1, c.when); restored.Commit != c.want {
				t.Errorf("restored %+v", restored)
			}
			clinic := open(t, target)
			head, err := clinic.Head(t.Context())
			if err != nil || head.Number != c.want {
				t.Fatalf("head %+v, %v", head, err)
			}
			if body, err := clinic.Snapshot(head).Settings(t.Context()); err != nil || string(body) != strings.Repeat(c.body, 100) {
				t.Errorf("%q, %v", body, err)
			}
			if n := len(storetest.Names(t, target, "clinic=harbour/settings/")); n != int(c.want) {
				t.Errorf("%d objects of %d commits", n, c.want)
			}
			// What goes on from there is another history under the same numbers, and is backed up as what it is.
			commit(t, clinic, "another")
			take(t, target, second, keys)
			again := &storetest.Memory{}
			mustRestore(t, second, again, keys, 0, backup.Moment{})
			equal(t, "the other history", contents(t, again), belongs(contents(t, target)))
			was := &storetest.Memory{}
			mustRestore(t, second, was, keys, 1, backup.Moment{})
			equal(t, "the first backup", contents(t, was), belongs(contents(t, primary)))
		})
	}
	for what, when := range map[string]backup.Moment{"later": {Commit: 7}, "earlier": {At: start}} {
		if _, err := restore(t, second, &storetest.Memory{}, keys, 1, when); !errors.Is(err, backup.ErrNone) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestNewestOnly(t *testing.T) {
	primary, second, keys := filled(t), &storetest.Memory{}, newKeys(t, 1)
	o := options()
	o.Snapshot = true
	if _, err := backup.At(second, harbour, keys).Take(t.Context(), open(t, primary), o); err != nil {
		t.Fatal(err)
	}
	target := &storetest.Memory{}
	mustRestore(t, second, target, keys, 0, backup.Moment{})
	if n := len(storetest.Names(t, target, "clinic=harbour/settings/")); n != 1 {
		t.Errorf("%d objects of rows", n)
	}
	if _, err := restore(t, second, &storetest.Memory{}, keys, 0, backup.Moment{Commit: 2}); !errors.Is(err, backup.ErrNone) {
		t.Errorf("rows that were left out: %v", err)
	}
	// A whole backup after it is whole.
	take(t, primary, second, keys)
	target = &storetest.Memory{}
	mustRestore(t, second, target, keys, 0, backup.Moment{})
	equal(t, "restored", contents(t, target), belongs(contents(t, primary)))
	// And one of a lake that has let earlier snapshots go says so.
	for _, name := range storetest.Names(t, primary, "clinic=harbour/settings/")[:3] {
		head, err := open(t, primary).Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if "clinic=harbour/"+head.Settings.Path != name {
			if err := primary.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if taken := take(t, primary, second, keys); len(taken.Missing) < 1 {
			t.Errorf("missing %v", taken.Missing)
		}
	}
}

// TestKilledAnywhere ends a backup at every request, to the lake and to the second store, and goes on with it.
func TestKilledAnywhere(t *testing.T) {
	keys := newKeys(t, 1)
	primary := filled(t)
	want := belongs(contents(t, primary))
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for _, side := range []string{"lake", "backup"} {
			for fail := 1; ; fail++ {
				second := &storetest.Memory{}
				faulty := &storetest.Faulty{Fail: fail, Fault: fault, Dead: true}
				var from, to lake.Store = primary, second
				if side == "lake" {
					faulty.Store, from = primary, faulty
				} else {
					faulty.Store, to = second, faulty
				}
				_, err := backup.At(to, harbour, keys).Take(t.Context(), open(t, from), options())
				if faulty.Calls() < fail {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				target := &storetest.Memory{}
				switch _, opened := backup.At(second, harbour, keys).Open(t.Context(), 0); {
				case err == nil, opened == nil: // it was the last request, or only its answer was lost
					mustRestore(t, second, target, keys, 0, backup.Moment{})
				case !errors.Is(opened, backup.ErrNone):
					t.Fatalf("%s %d: half a backup opens with %v", side, fail, opened)
				}
				before := len(storetest.Names(t, second, "backups/harbour/objects/"))
				taken := take(t, primary, second, keys)
				if taken.Sent+before != len(taken.Entries) {
					t.Errorf("%s %d: %d objects were there, %d of %d were sent", side, fail, before, taken.Sent, len(taken.Entries))
				}
				target = &storetest.Memory{}
				mustRestore(t, second, target, keys, 0, backup.Moment{})
				equal(t, fmt.Sprint(side, fail), contents(t, target), want)
				if t.Failed() {
					return
				}
			}
		}
	}
}

// TestKilledRestore ends a restore at every request, and goes on with it.
func TestKilledRestore(t *testing.T) {
	keys := newKeys(t, 1)
	primary, second := filled(t), &storetest.Memory{}
	take(t, primary, second, keys)
	want := belongs(contents(t, primary))
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for fail := 1; ; fail++ {
			target := &storetest.Memory{}
			faulty := &storetest.Faulty{Store: target, Fail: fail, Fault: fault, Dead: true}
			_, err := restore(t, second, faulty, keys, 0, backup.Moment{})
			if err == nil {
				break
			}
			_, marked := target.Get(t.Context(), backup.RestoringName(harbour))
			if empty := len(storetest.Names(t, target, "clinic=harbour/")) == 0; marked != nil && !empty && len(contents(t, target)) != len(want) {
				t.Fatalf("at request %d half a clinic lies there, and nothing says so", fail)
			}
			if marked == nil {
				if _, err := restore(t, second, target, keys, 0, backup.Moment{Commit: 2}); !errors.Is(err, backup.ErrOccupied) {
					t.Fatalf("another moment over it: %v", err)
				}
			} else if len(contents(t, target)) == len(want) {
				continue // its last answer was lost
			}
			mustRestore(t, second, target, keys, 0, backup.Moment{})
			equal(t, fmt.Sprint("request ", fail), contents(t, target), want)
			if t.Failed() {
				return
			}
		}
	}
}

// TestDestroyedPrimary destroys a lake in random places, backs that up too where it lets itself be, and restores what was before.
func TestDestroyedPrimary(t *testing.T) {
	keys := newKeys(t, 1)
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 1))
		primary, second := filled(t), &storetest.Memory{}
		want := belongs(contents(t, primary))
		take(t, primary, second, keys)
		names := storetest.Names(t, primary, "")
		for range 1 + random.IntN(len(names)) {
			name := names[random.IntN(len(names))]
			body, err := primary.Get(t.Context(), name)
			if err != nil {
				continue
			}
			if err := primary.Delete(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if random.IntN(2) == 0 {
				body[random.IntN(len(body))] ^= 1 << random.IntN(8)
				create(t, primary, name, string(body))
			}
		}
		_, _ = backup.At(second, harbour, keys).Take(t.Context(), open(t, primary), options())
		target := &storetest.Memory{}
		mustRestore(t, second, target, keys, 1, backup.Moment{})
		equal(t, fmt.Sprint("seed ", seed), contents(t, target), want)
		if t.Failed() {
			return
		}
	}
}

// TestDamagedBackup flips a bit of every object of a backup, and loses each: it shows, is named, and a full backup heals it.
func TestDamagedBackup(t *testing.T) {
	keys := newKeys(t, 1)
	primary, second := filled(t), &storetest.Memory{}
	taken := take(t, primary, second, keys)
	for _, e := range taken.Entries {
		for _, flip := range []bool{true, false} {
			body, err := second.Get(t.Context(), e.Object)
			if err != nil {
				t.Fatal(err)
			}
			if err := second.Delete(t.Context(), e.Object); err != nil {
				t.Fatal(err)
			}
			if flip {
				body[len(body)/2] ^= 4
				create(t, second, e.Object, string(body))
			}
			view, err := backup.At(second, harbour, keys).Open(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := view.Verify(t.Context(), nil); !errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), e.Name) {
				t.Errorf("%s: verifying says %v", e.Name, err)
			}
			if _, err := restore(t, second, &storetest.Memory{}, keys, 1, backup.Moment{}); !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("%s: restoring says %v", e.Name, err)
			}
			o := options()
			o.Full = true
			if _, err := backup.At(second, harbour, keys).Take(t.Context(), open(t, primary), o); err != nil {
				t.Fatal(err)
			}
			if err := view.Verify(t.Context(), nil); err != nil {
				t.Errorf("%s: after a full backup: %v", e.Name, err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	keys := newKeys(t, 1)
	primary, second := filled(t), &storetest.Memory{}
	take(t, primary, second, keys)
	if _, err := restore(t, second, &storetest.Memory{}, newKeys(t, 1), 0, backup.Moment{}); !errors.Is(err, backup.ErrOtherKeys) {
		t.Errorf("with other keys: %v", err)
	}
	if _, err := backup.At(second, harbour, newKeys(t, 2)).Take(t.Context(), open(t, primary), options()); !errors.Is(err, backup.ErrOtherKeys) {
		t.Errorf("over a backup of other keys: %v", err)
	}
	if _, err := restore(t, second, primary, keys, 0, backup.Moment{}); !errors.Is(err, backup.ErrOccupied) {
		t.Errorf("over a clinic: %v", err)
	}
	if _, err := backup.At(second, "other", keys).Open(t.Context(), 0); !errors.Is(err, backup.ErrNone) {
		t.Errorf("another clinic: %v", err)
	}
	if found, err := backup.Clinics(t.Context(), second); err != nil || !slices.Equal(found, []lake.ClinicID{harbour}) {
		t.Errorf("clinics %v, %v", found, err)
	}
	// Beside another log the lake's own stays.
	target := &storetest.Memory{}
	if _, err := audit.Open(target, nil).Append(t.Context(), audit.Entry{Person: "Ben Ash", Action: audit.Paused}); err != nil {
		t.Fatal(err)
	}
	own := contents(t, target)
	if restored := mustRestore(t, second, target, keys, 0, backup.Moment{}); !restored.OwnAudit {
		t.Errorf("restored %+v", restored)
	}
	for name, body := range own {
		if contents(t, target)[name] != body {
			t.Errorf("%s was changed", name)
		}
	}
}
