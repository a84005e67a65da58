package lake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// aging is a memory store whose clock the test moves.
func aging() (store *storetest.Memory, pass func(time.Duration)) {
	at := noon()
	return &storetest.Memory{Now: func() time.Time { return at }}, func(d time.Duration) { at = at.Add(d) }
}

// clear is a GC as asked; its clinic's own clock is wrong by years, which must not matter.
func clearUp(t testing.TB, store lake.Store, o lake.GCOptions) *lake.Cleared {
	t.Helper()
	clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: func() time.Time { return noon().AddDate(30, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	out, err := clinic.GC(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// orphan leaves an object that no commit names.
func orphan(t testing.TB, store lake.Store, batch appointments) {
	t.Helper()
	broken := errors.New("killed")
	_, err := openClinic(t, store).Update(context.Background(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if _, err := lake.Upsert(ctx, tx, lake.Appointments, batch); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

func TestGCRemovesWhatNothingNames(t *testing.T) {
	store, pass := aging()
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 arrived @2026-01-06")})
	before := storetest.Names(t, store, "")
	orphan(t, store, appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")})
	others := []string{"clinic=harbour-street/data/appointments/notes", "clinic=harbour-street/metadata/" + strings.Repeat("a", 52), "clinic=other/data/appointments/month=2026-01/" + strings.Repeat("a", 52) + ".parquet"}
	for _, name := range others {
		if err := store.Create(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	pass(23 * time.Hour)
	if out := clearUp(t, store, lake.GCOptions{}); out.Objects != 0 || out.Young != 1 {
		t.Errorf("within the grace: %+v", out)
	}
	pass(2 * time.Hour)
	if out := clearUp(t, store, lake.GCOptions{}); out.Objects != 1 || len(out.Dropped) != 0 || out.Kept != 2 || out.Bytes == 0 {
		t.Errorf("%+v", out)
	}
	want := append(before, others...)
	slices.Sort(want)
	if got := storetest.Names(t, store, ""); !slices.Equal(got, want) {
		t.Errorf("left\n%v\nwant\n%v", got, want)
	}
	if found := sound(t, clinic); found.Commits != 2 || found.Objects != 2 {
		t.Errorf("%+v", found)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	store, pass := aging()
	mustUpsert(t, openClinic(t, store), appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	orphan(t, store, appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")})
	pass(48 * time.Hour)
	names := storetest.Names(t, store, "")
	out, err := openClinic(t, store).GC(t.Context(), lake.GCOptions{DryRun: true, Grace: -time.Hour})
	if err != nil || out.Objects != 1 || !out.DryRun || len(out.ObjectNames) != 1 || !strings.HasPrefix(out.ObjectNames[0], "data/appointments/month=2026-02/") {
		t.Errorf("%+v, %v", out, err)
	}
	if got := storetest.Names(t, store, ""); !slices.Equal(got, names) {
		t.Errorf("it changed %v to %v", names, got)
	}
}

// A run that died has left objects; the next one makes the same, a day later, while they are being cleared up.
func TestAnObjectThatIsTakenUpAgainIsNotRemoved(t *testing.T) {
	store, pass := aging()
	mustUpsert(t, openClinic(t, store), appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	again := appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")}
	orphan(t, store, again)
	pass(48 * time.Hour)
	_, err := openClinic(t, store).Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if _, err := lake.Upsert(ctx, tx, lake.Appointments, again); err != nil {
			return err
		}
		if out := clearUp(t, store, lake.GCOptions{}); out.Objects != 0 || out.Young != 1 {
			t.Errorf("%+v", out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sound(t, openClinic(t, store))
}

// The same, where the removal comes between the writer's look and its commit: the writer notices and plans again.
func TestAnObjectThatWasRemovedMeanwhileIsWrittenAgain(t *testing.T) {
	store, pass := aging()
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	again := appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")}
	orphan(t, store, again)
	turns := 0
	_, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if _, err := lake.Upsert(ctx, tx, lake.Appointments, again); err != nil {
			return err
		}
		if turns++; turns == 1 {
			pass(48 * time.Hour) // a writer that stood still for longer than the grace
			if out := clearUp(t, store, lake.GCOptions{}); out.Objects != 1 {
				t.Errorf("%+v", out)
			}
		}
		return nil
	})
	if err != nil || turns != 2 {
		t.Errorf("%d turns, %v", turns, err)
	}
	sound(t, clinic)
}

func TestRetentionKeepsDaysAndMonths(t *testing.T) {
	store, pass := aging()
	at := noon()
	clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	const days, twice = 100, 2
	for d := range days {
		for n := range twice {
			rows := visits("1/0 2026-01-05 changing @2026-01-05", "2/0 2026-02-05 same @2026-01-01")
			rows[0].ObservedOn += int32(d*twice + n)
			mustUpsert(t, clinic, appointments{Rows: rows})
		}
		at = at.Add(24 * time.Hour)
		pass(24 * time.Hour)
	}
	keep := lake.Retention{Daily: 10, Monthly: 3}
	dry, err := clinic.GC(t.Context(), lake.GCOptions{Keep: &keep, DryRun: true, Pinned: func(n int64) bool { return n == 7 }})
	if err != nil {
		t.Fatal(err)
	}
	out := clearUp(t, store, lake.GCOptions{Keep: &keep, Pinned: func(n int64) bool { return n == 7 }})
	if !slices.Equal(dry.Dropped, out.Dropped) || dry.Objects != out.Objects || dry.Bytes != out.Bytes {
		t.Errorf("foretold %d dropped and %d objects, done %d and %d", len(dry.Dropped), dry.Objects, len(out.Dropped), out.Objects)
	}
	// Kept: the last of ten days; the last of November and October, for December's is the newest; the pinned one; and the one
	// before the newest of the last day stays no longer than the grace, which has passed.
	kept := 10 + 2 + 1
	if out.Kept != kept || len(out.Dropped) != days*twice-kept || out.Objects != len(out.Dropped) {
		t.Errorf("kept %d, dropped %d, %d objects; want %d kept", out.Kept, len(out.Dropped), out.Objects, kept)
	}
	for n := int64(1); n <= days*twice; n++ {
		commit, err := clinic.At(t.Context(), n)
		if err != nil {
			t.Fatalf("commit %d itself went: %v", n, err)
		}
		readable := clinic.Snapshot(commit).Verify(t.Context()) == nil
		if readable == slices.Contains(out.Dropped, n) {
			t.Errorf("commit %d: dropped %v, readable %v", n, !readable, readable)
		}
	}
	if found := sound(t, clinic); len(found.Dropped) != len(out.Dropped) {
		t.Errorf("%+v", found)
	}
	sound(t, clinic)
}

// A reader holds a commit for up to the grace, whatever is let go.
func TestTheSnapshotOfALiveReaderStays(t *testing.T) {
	store, pass := aging()
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	pass(365 * 24 * time.Hour) // it is old, and the newest
	held := head(t, clinic)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 arrived @2026-01-06")})
	for hour := range 30 {
		clearUp(t, store, lake.GCOptions{Keep: &lake.Retention{}})
		readable := clinic.Snapshot(held).Verify(t.Context()) == nil
		if readable != (hour <= 24) {
			t.Errorf("%d hours after it was overtaken: readable %v", hour, readable)
		}
		pass(time.Hour)
	}
	sound(t, clinic)
}

func TestGCRemovesNothingWhereACommitCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(store lake.Store, commit string) error{
		"missing": func(store lake.Store, commit string) error { return store.Delete(context.Background(), commit) },
		"damaged": func(store lake.Store, commit string) error {
			return store.Replace(context.Background(), commit, []byte("{"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, pass := aging()
			clinic := openClinic(t, store)
			for n := range 3 {
				mustUpsert(t, clinic, appointments{Rows: visits(fmt.Sprintf("1/0 2026-01-05 state%d @2026-01-%02d", n, n+1))})
			}
			if err := spoil(store, "clinic=harbour-street/commits/000000000002.json"); err != nil {
				t.Fatal(err)
			}
			pass(48 * time.Hour)
			objects := storetest.Names(t, store, "clinic=harbour-street/data/")
			if _, err := clinic.GC(t.Context(), lake.GCOptions{}); err == nil || !strings.Contains(err.Error(), "commit 2") {
				t.Errorf("%v", err)
			}
			if got := storetest.Names(t, store, "clinic=harbour-street/data/"); !slices.Equal(got, objects) {
				t.Errorf("%v went to %v", objects, got)
			}
		})
	}
}

func TestGCRemovesWhatDeadProcessesLeft(t *testing.T) {
	root := t.TempDir()
	store, err := lake.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	old := time.Now().Add(-25 * time.Hour)
	for run, parts := range map[string]int{"dead": 3, "alive": 2} {
		for n := 1; n <= parts; n++ {
			if err := clinic.Stage(t.Context(), run, n, []byte("part")); err != nil {
				t.Fatal(err)
			}
			if run == "dead" || n == 1 { // the newest part of the one alive is new
				if err := os.Chtimes(store.LocalPath(fmt.Sprintf("clinic=harbour-street/staging/%s/%06d", run, n)), old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, at := range map[string]time.Time{"deadfile": old, "newfile": time.Now()} {
		path := filepath.Join(root, ".tmp", name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 100), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	out, err := clinic.GC(t.Context(), lake.GCOptions{})
	if err != nil || out.Staged != 3 || out.Scratch != 1 || out.Objects != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if parts, err := clinic.Staged(t.Context(), "alive"); err != nil || len(parts) != 2 {
		t.Errorf("the live run has %v, %v", parts, err)
	}
	if _, err := os.Stat(filepath.Join(root, ".tmp", "newfile")); err != nil {
		t.Error(err)
	}
}

func TestGCOnARealServer(t *testing.T) {
	store := openS3(t)
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	orphan(t, store, appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")})
	if out := clearUp(t, store, lake.GCOptions{}); out.Objects != 0 || out.Young != 1 {
		t.Errorf("%+v", out)
	}
	// A grace below nothing: what the server wrote a moment ago is older than in two minutes.
	if out := clearUp(t, store, lake.GCOptions{Grace: -2 * time.Minute}); out.Objects != 1 {
		t.Errorf("%+v", out)
	}
	sound(t, clinic)
}
