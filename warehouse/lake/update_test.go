package lake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// count is a checkpoint that a lost update would show in.
type count struct {
	Runs int `json:"runs"`
}

// run is a whole ingest: rows, settings, checkpoint, report date and quarantine, in one commit.
func run(ctx context.Context, clinic *lake.Clinic, batch appointments) error {
	_, err := clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if _, err := lake.Upsert(ctx, tx, lake.Appointments, batch); err != nil {
			return err
		}
		if err := tx.PutSettings(ctx, []byte("clinic: Harbour Street\n")); err != nil {
			return err
		}
		var c count
		if at := tx.Source("portal"); at != nil {
			if err := json.Unmarshal(at, &c); err != nil {
				return err
			}
		}
		c.Runs++
		for _, r := range batch.Rows {
			tx.AdvanceAsOf(contract.DateOf(r.ObservedOn))
		}
		tx.SetQuarantine("appointments", map[string]int64{"no_date": 2})
		return tx.SetSource("portal", c)
	})
	return err
}

func TestRacingWritersAllArrive(t *testing.T) {
	storetest.Gateway(t)
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			writers := 32
			errs := make([]error, writers)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					errs[w] = run(t.Context(), openClinic(t, store), appointments{Rows: visits(fmt.Sprintf("%d/0 2026-01-05 booked @2026-01-%02d", w+1, w%28+1))})
				})
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			clinic := openClinic(t, store)
			last := head(t, clinic)
			if last.Number != int64(writers) || string(last.Sources["portal"]) != fmt.Sprintf(`{"runs":%d}`, writers) {
				t.Errorf("%d writers made commit %d with checkpoint %s", writers, last.Number, last.Sources["portal"])
			}
			if rows := stored(t, clinic); len(rows) != writers {
				t.Errorf("%d rows of %d arrived", len(rows), writers)
			}
			for n := int64(1); n <= last.Number; n++ {
				c, err := clinic.At(t.Context(), n)
				if err != nil || c.Parent != n-1 {
					t.Fatalf("commit %d: %+v, %v", n, c, err)
				}
			}
		})
	}
}

func TestALoserPlansAgainOnTopOfTheWinner(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	var heads []int64
	commit, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head() == nil {
			heads = append(heads, 0)
			if err := run(ctx, openClinic(t, store), appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}); err != nil {
				return err
			}
		} else {
			heads = append(heads, tx.Head().Number)
		}
		_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Rows: visits("2/0 2026-01-05 booked @2026-01-01")})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(heads, []int64{0, 1}) || commit.Number != 2 {
		t.Errorf("planned on %v, made commit %d", heads, commit.Number)
	}
	if got := stored(t, clinic); len(got) != 2 || commit.Sources["portal"] == nil {
		t.Errorf("rows %v, checkpoint %s", show(got), commit.Sources["portal"])
	}
}

func TestAFailedPlanChangesNothing(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	if err := run(t.Context(), clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the portal broke off")
	_, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if _, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Rows: visits("1/0 2026-02-05 booked @2026-01-02")}); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if got := show(stored(t, clinic)); head(t, clinic).Number != 1 || !slices.Equal(got, []string{"1/0 2026-01-05 booked @2026-01-01"}) {
		t.Errorf("a reader sees %v", got)
	}
	unchanged, err := clinic.Update(t.Context(), lake.Build, func(context.Context, *lake.Tx) error { return lake.ErrUnchanged })
	if err != nil || unchanged.Number != 1 {
		t.Errorf("%+v, %v", unchanged, err)
	}
	reader, err := lake.Open(store, "harbour-street", lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Update(t.Context(), lake.Ingest, nil); err == nil || !strings.Contains(err.Error(), "naming key") {
		t.Errorf("an update without a naming key: %v", err)
	}
}

// Every store call of two runs fails in turn, in each of the two ways, once and for good; then the same runs are made again. Whatever
// happened, a reader in between sees whole runs only, and in the end everything is there once.
func TestAFaultAtAnyCallLosesNothingAndDoublesNothing(t *testing.T) {
	batches := []appointments{
		{Rows: visits("1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01", "3/0 2026-02-06 booked @2026-01-01")},
		{Rows: visits("1/0 2026-02-07 booked @2026-01-08", "2/0 2026-02-05 arrived @2026-01-08"), Covers: []lake.Cover{cover("2026-02-01", "2026-02-28", "2026-01-08")}},
	}
	runs := func(store lake.Store) error {
		clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: noon})
		for _, b := range batches {
			if err == nil {
				err = run(t.Context(), clinic, b)
			}
		}
		return err
	}
	states := [][]string{
		{},
		{"1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01", "3/0 2026-02-06 booked @2026-01-01"},
		{"2/0 2026-02-05 arrived @2026-01-08", "1/0 2026-02-07 booked @2026-01-08"},
	}
	counted := &storetest.Faulty{Store: new(storetest.Memory)}
	if err := runs(counted); err != nil {
		t.Fatal(err)
	}
	clean := storetest.Names(t, counted.Store, "clinic=harbour-street/data/")
	for fail := 1; fail <= counted.Calls(); fail++ {
		for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
			for _, dead := range []bool{false, true} {
				where := fmt.Sprintf("call %d, fault %d, dead %v", fail, fault, dead)
				store := new(storetest.Memory)
				failed := runs(&storetest.Faulty{Store: store, Fail: fail, Fault: fault, Dead: dead})
				clinic := openClinic(t, store)
				commit, err := clinic.Head(t.Context())
				seen := 0
				switch {
				case errors.Is(err, lake.ErrNoCommit):
				case err != nil:
					t.Fatalf("%s: %v", where, err)
				default:
					seen = int(commit.Number)
					if seen >= len(states) {
						t.Fatalf("%s: two runs made %d commits", where, seen)
					}
					if got := show(stored(t, clinic)); !slices.Equal(got, states[seen]) {
						t.Fatalf("%s: commit %d shows %v", where, seen, got)
					}
					if want := fmt.Sprintf(`{"runs":%d}`, seen); string(commit.Sources["portal"]) != want {
						t.Fatalf("%s: rows of %d runs, checkpoint %s", where, seen, commit.Sources["portal"])
					}
				}
				if failed == nil && seen != 2 {
					t.Fatalf("%s: no error, but %d commits", where, seen)
				}
				if failed != nil && seen == 2 && !strings.Contains(failed.Error(), "not known whether") {
					t.Fatalf("%s: both commits are there, but the error is %v", where, failed)
				}
				if err := runs(store); err != nil {
					t.Fatalf("%s: again: %v", where, err)
				}
				if got := show(stored(t, clinic)); !slices.Equal(got, states[2]) {
					t.Fatalf("%s: after running again: %v", where, got)
				}
				if err := clinic.Snapshot(head(t, clinic)).Verify(t.Context()); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if data := storetest.Names(t, store, "clinic=harbour-street/data/"); !slices.Equal(data, clean) {
					t.Fatalf("%s: the objects are %v, without a fault %v", where, data, clean)
				}
			}
		}
	}
}

func TestTwoLakesWithOneKeyAreAlike(t *testing.T) {
	one, other := new(storetest.Memory), new(storetest.Memory)
	rows := schedule(5000, 6)
	for _, store := range []*storetest.Memory{one, other} {
		shuffled := slices.Clone(rows)
		if store == other {
			slices.Reverse(shuffled)
		}
		for _, b := range []appointments{
			{Rows: shuffled},
			{Rows: shuffled[:10], Covers: []lake.Cover{cover("2024-01-01", "2024-01-01", "2025-01-01")}},
		} {
			if store == other && len(b.Rows) == 10 {
				b.Rows = rows[:10]
			}
			if err := run(t.Context(), openClinic(t, store), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := storetest.Names(t, one, "")
	if others := storetest.Names(t, other, ""); !slices.Equal(names, others) {
		t.Fatalf("%d names, %d names", len(names), len(others))
	}
	removed := false
	for _, name := range names {
		if strings.Contains(name, "/commits/") {
			continue // they name their writers
		}
		a, err := one.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := other.Get(t.Context(), name)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v)", name, err)
		}
		removed = removed || strings.Contains(name, "/removed/")
	}
	if !removed {
		t.Error("nothing was removed: the test has lost its point")
	}
	// Another key gives other names to the same bytes.
	keyed, err := lake.Open(new(storetest.Memory), "harbour-street", lake.Options{NamingKey: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), keyed, appointments{Rows: rows}); err != nil {
		t.Fatal(err)
	}
	for _, name := range storetest.Names(t, keyed.Store(), "clinic=harbour-street/data/") {
		if slices.Contains(names, name) {
			t.Errorf("%s does not depend on the key", name)
		}
	}
}

func TestARunThatChangesNothingUploadsNothingButItsCommit(t *testing.T) {
	store := &creating{Store: new(storetest.Memory)}
	clinic := openClinic(t, store)
	batch := appointments{Rows: schedule(2000, 3), Covers: []lake.Cover{cover("2024-01-01", "2024-03-31", "2024-04-01")}}
	if err := run(t.Context(), clinic, batch); err != nil {
		t.Fatal(err)
	}
	store.names = nil
	if err := run(t.Context(), clinic, batch); err != nil {
		t.Fatal(err)
	}
	if want := []string{"clinic=harbour-street/commits/000000000002.json"}; !slices.Equal(store.names, want) {
		t.Errorf("it wrote %v", store.names)
	}
}

type creating struct {
	lake.Store
	mu    sync.Mutex
	names []string
}

func (c *creating) Create(ctx context.Context, name string, body []byte) error {
	c.mu.Lock()
	c.names = append(c.names, name)
	c.mu.Unlock()
	return c.Store.Create(ctx, name, body)
}

// A store may refuse a taken name before the winner's object can be read.
func TestAWinnerThatIsNotYetVisibleIsAwaited(t *testing.T) {
	inner := new(storetest.Memory)
	clinic := openClinic(t, &late{Store: inner, unseen: 3})
	raced := false
	commit, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if !raced {
			raced = true
			return run(ctx, openClinic(t, inner), appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
		}
		return nil
	})
	if err != nil || commit.Number != 2 || commit.Datasets["appointments"].Rows() != 1 {
		t.Errorf("%+v, %v", commit, err)
	}
	clinic = openClinic(t, &late{Store: inner, unseen: 3})
	if found, err := clinic.Head(t.Context()); err != nil || found.Number != 2 {
		t.Errorf("a commit that is listed and not yet readable: %+v, %v", found, err)
	}
}

// late does not find an object for the first few times that it is asked.
type late struct {
	lake.Store
	unseen int
}

func (l *late) Get(ctx context.Context, name string) ([]byte, error) {
	if l.unseen > 0 {
		l.unseen--
		return nil, lake.ErrNotFound
	}
	return l.Store.Get(ctx, name)
}
