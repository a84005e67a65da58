package lake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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
func run(clinic *lake.Clinic, batch appointments) error {
	_, err := clinic.Update(context.Background(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
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
			if name == "s3" {
				writers = 12 // each of n writers may plan n times
			}
			errs := make([]error, writers)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					errs[w] = run(openClinic(t, store), appointments{Rows: visits(fmt.Sprintf("%d/0 2026-01-05 booked @2026-01-%02d", w+1, w%28+1))})
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
			if err := run(openClinic(t, store), appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}); err != nil {
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
	if err := run(clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}); err != nil {
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
				err = run(clinic, b)
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
			if err := run(openClinic(t, store), b); err != nil {
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
	if err := run(keyed, appointments{Rows: rows}); err != nil {
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
	if err := run(clinic, batch); err != nil {
		t.Fatal(err)
	}
	store.names = nil
	if err := run(clinic, batch); err != nil {
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

func TestMarts(t *testing.T) {
	clinic := newMemoryClinic(t)
	if err := run(clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}); err != nil {
		t.Fatal(err)
	}
	mart := invoiceMart(t)
	put := func(name string, body []byte, input int64) error {
		_, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
			tx.SetChecks([]lake.Check{{Name: "money_identity", Passed: true, Input: input}})
			return tx.PutMart(ctx, name, body, input, date("2026-01-01"))
		})
		return err
	}
	if err := put("leaks", mart, 1); err != nil {
		t.Fatal(err)
	}
	built := head(t, clinic)
	got, ok := clinic.Snapshot(built).Mart("leaks")
	if !ok || got.Rows != 2 || got.Input != 1 || got.AsOf != date("2026-01-01") || got.Totals["total_cents"] != 1250 || !strings.HasPrefix(got.Path, "marts/leaks/") {
		t.Errorf("%+v", got)
	}
	if built.Kind != lake.Build || len(built.Checks) != 1 || built.Datasets["appointments"].Rows() != 1 {
		t.Errorf("%+v", built)
	}
	if err := clinic.Snapshot(built).Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := put("leaks", mart, 2); err != nil {
		t.Errorf("a mart of the newest commit: %v", err)
	}
	if err := put("leaks", mart, 1); !errors.Is(err, lake.ErrStale) {
		t.Errorf("a mart of an older commit than the live one's: %v", err)
	}
	for name, err := range map[string]error{
		"a commit that is not there yet": put("leaks", mart, 9),
		"no Parquet":                     put("leaks", []byte("id,amount\n1,2\n"), 2),
		"nothing at all":                 put("leaks", nil, 2),
		"a name with a slash":            put("a/b", mart, 2),
	} {
		if err == nil {
			t.Errorf("%s was taken for a mart", name)
		}
	}
	if _, err := clinic.Update(t.Context(), lake.Build, func(_ context.Context, tx *lake.Tx) error { tx.DropMart("leaks"); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, ok := clinic.Snapshot(head(t, clinic)).Mart("leaks"); ok {
		t.Error("the dropped mart is live")
	}
	if _, ok := clinic.Snapshot(built).Mart("leaks"); !ok {
		t.Error("the older commit lost its mart")
	}
}

// invoiceMart is some Parquet with money in it: what the lake itself writes of two invoice lines.
func invoiceMart(t *testing.T) []byte {
	t.Helper()
	clinic := newMemoryClinic(t)
	upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: []contract.InvoiceLine{
		{InvoiceNumber: "1-P01", Item: "Visit", PurchaseDate: day("2026-01-05"), TotalCents: 1500, ObservedOn: day("2026-01-06")},
		{InvoiceNumber: "1-P02X", Item: "Visit", PurchaseDate: day("2026-01-05"), TotalCents: -250, ObservedOn: day("2026-01-06")},
	}})
	o := clinic.Snapshot(head(t, clinic)).Objects("invoice_lines")[0]
	if want := map[string]int64{"subtotal_cents": 0, "tax_cents": 0, "total_cents": 1250, "collected_cents": 0, "balance_cents": 0}; !reflect.DeepEqual(o.Totals, want) {
		t.Errorf("totals %v", o.Totals)
	}
	body, err := clinic.Store().Get(t.Context(), "clinic=harbour-street/"+o.Path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
