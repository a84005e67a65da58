package backup_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// nightly backs a clinic up on several days, with a commit between, and lets the lake forget what the first commits named.
func nightly(t *testing.T, keys backup.Keys, days ...int) (primary, second *storetest.Memory) {
	t.Helper()
	primary, second = filled(t), &storetest.Memory{}
	clinic := open(t, primary)
	for i, day := range days {
		commit(t, clinic, strings.Repeat("night", i+1))
		o := options()
		o.Now = start.AddDate(0, 0, day)
		if _, err := backup.At(second, harbour, keys).Take(t.Context(), clinic, o); err != nil {
			t.Fatal(err)
		}
		head, err := clinic.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range storetest.Names(t, primary, "clinic=harbour/settings/") {
			if name != "clinic=harbour/"+head.Settings.Path {
				if err := primary.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return primary, second
}

func numbersOf(all []*backup.Manifest) (out []int64) {
	for _, m := range all {
		out = append(out, m.Number)
	}
	return out
}

// What is pruned is what was listed, and nothing that a kept backup needs.
func TestPrune(t *testing.T) {
	keys := newKeys(t, 1)
	far := start.AddDate(10, 0, 0)
	for what, c := range map[string]struct {
		days []int
		keep lake.Retention
		want []int64
	}{
		"the newest only":              {[]int{0, 1, 2}, lake.Retention{}, []int64{3}},
		"the last of each of two days": {[]int{0, 1, 1, 2}, lake.Retention{Daily: 2}, []int64{3, 4}},
		"the last of each month":       {[]int{0, 1, 40, 41}, lake.Retention{Monthly: 5}, []int64{2, 4}},
		"days and months":              {[]int{0, 1, 40, 41}, lake.Retention{Daily: 2, Monthly: 2}, []int64{2, 3, 4}},
		"everything":                   {[]int{0, 1, 2}, lake.Retention{Daily: 35, Monthly: 24}, []int64{1, 2, 3}},
	} {
		t.Run(what, func(t *testing.T) {
			_, second := nightly(t, keys, c.days...)
			create(t, second, "backups/harbour/objects/leftover", "of one that was cut short")
			place := backup.At(second, harbour, keys)
			before := contents(t, second)
			plan, err := place.Prunable(t.Context(), c.keep, nil, far)
			if err != nil || !slices.Equal(numbersOf(plan.Kept), c.want) || plan.Unnamed != 1 {
				t.Fatalf("%v stay, %d unnamed, %v", numbersOf(plan.Kept), plan.Unnamed, err)
			}
			equal(t, "listing", contents(t, second), before)
			if err := place.Prune(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			needed := map[string]bool{}
			for _, n := range c.want {
				view, err := place.Open(t.Context(), n)
				if err != nil {
					t.Fatal(err)
				}
				if err := view.Verify(t.Context(), nil); err != nil {
					t.Errorf("backup %d: %v", n, err)
				}
				for _, e := range view.Manifest.Entries {
					needed[e.Object] = true
				}
			}
			for _, name := range storetest.Names(t, second, "backups/harbour/objects/") {
				if !needed[name] {
					t.Errorf("%s is left, and nothing names it", name)
				}
			}
			if got, err := backup.Numbers(t.Context(), second, harbour); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v are there, %v", got, err)
			}
		})
	}
}

// What must go goes whatever its age, and the newest backup stays whatever it holds.
func TestPruneWhatMustGo(t *testing.T) {
	keys := newKeys(t, 1)
	primary, second := nightly(t, keys, 0, 1, 2)
	place := backup.At(second, harbour, keys)
	first, err := place.Open(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	newest, err := place.Open(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, e := range newest.Manifest.Entries {
		has[e.Name] = true
	}
	gone := first.Manifest.Entries[slices.IndexFunc(first.Manifest.Entries, func(e backup.Entry) bool { return !has[e.Name] })]
	all := lake.Retention{Daily: 35, Monthly: 24}
	plan, err := place.Prunable(t.Context(), all, func(e backup.Entry) bool { return e.Name == gone.Name }, start)
	if err != nil || !slices.Contains(numbersOf(plan.Dropped), 1) || slices.Contains(numbersOf(plan.Dropped), 3) {
		t.Fatalf("%v go, %v", numbersOf(plan.Dropped), err)
	}
	if !slices.ContainsFunc(plan.Lost, func(e backup.Entry) bool { return e == gone }) {
		t.Errorf("%s is not listed as lost", gone.Name)
	}
	if plan, err := place.Prunable(t.Context(), all, func(backup.Entry) bool { return true }, start); err != nil || !slices.Equal(numbersOf(plan.Kept), []int64{3}) {
		t.Errorf("%v stay, %v", numbersOf(plan.Kept), err)
	}
	// A backup that is made between the list and the removal stops it.
	take(t, primary, second, keys)
	if err := place.Prune(t.Context(), plan); !errors.Is(err, backup.ErrMadeMeanwhile) {
		t.Errorf("%v", err)
	}
	if got, err := backup.Numbers(t.Context(), second, harbour); err != nil || len(got) != 4 {
		t.Errorf("%v are there, %v", got, err)
	}
}

// TestPruneKilledAnywhere ends a pruning at every request. No backup that is listed ever lacks anything, and the next pruning
// ends where the first would have.
func TestPruneKilledAnywhere(t *testing.T) {
	keys := newKeys(t, 1)
	far := start.AddDate(10, 0, 0)
	_, whole := nightly(t, keys, 0, 1, 2, 3)
	place := backup.At(whole, harbour, keys)
	plan, err := place.Prunable(t.Context(), lake.Retention{Daily: 2}, nil, far)
	if err != nil {
		t.Fatal(err)
	}
	if err := place.Prune(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	for fail := 1; ; fail++ {
		_, second := nightly(t, keys, 0, 1, 2, 3)
		killed := &storetest.Faulty{Store: second, Fail: fail, Dead: true, Fault: storetest.Fault(fail % 2)}
		place := backup.At(killed, harbour, keys)
		plan, err := place.Prunable(t.Context(), lake.Retention{Daily: 2}, nil, far)
		if err == nil {
			err = place.Prune(t.Context(), plan)
		}
		checkListed(t.Context(), t, backup.At(second, harbour, keys))
		if killed.Calls() < fail {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		place = backup.At(second, harbour, keys)
		if plan, err = place.Prunable(t.Context(), lake.Retention{Daily: 2}, nil, far); err != nil {
			t.Fatal(err)
		}
		if err := place.Prune(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		if a, b := len(storetest.Names(t, second, "")), len(storetest.Names(t, whole, "")); a != b {
			t.Fatalf("killed at request %d and pruned again: %d objects, want %d", fail, a, b)
		}
	}
}

func checkListed(ctx context.Context, t *testing.T, place backup.Place) {
	t.Helper()
	all, err := place.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		view, err := place.Open(ctx, m.Number)
		if err != nil {
			t.Fatal(err)
		}
		if err := view.Verify(ctx, nil); err != nil {
			t.Errorf("backup %d: %v", m.Number, err)
		}
	}
}

// An encrypted object that was let go and made again has its name and other bytes. The next backup has those that the newest
// commit speaks of.
func TestEncryptedObjectMadeAgain(t *testing.T) {
	primary, second, keys := &storetest.Memory{}, &storetest.Memory{}, newKeys(t, 1)
	clinic := openSealed(t, primary)
	put := func(text string) {
		t.Helper()
		commit(t, clinic, text)
	}
	put("one")
	put("two")
	if _, err := backup.At(second, harbour, keys).Take(t.Context(), clinic, options()); err != nil {
		t.Fatal(err)
	}
	first, err := clinic.At(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := primary.Delete(t.Context(), "clinic=harbour/"+first.Settings.Path); err != nil {
		t.Fatal(err)
	}
	put("one")
	again, err := clinic.Head(t.Context())
	if err != nil || again.Settings.Path != first.Settings.Path || again.Settings.Sum == first.Settings.Sum {
		t.Fatalf("%+v, and before %+v, %v: this proves nothing", again.Settings, first.Settings, err)
	}
	if _, err := backup.At(second, harbour, keys).Take(t.Context(), clinic, options()); err != nil {
		t.Fatal(err)
	}
	view, err := backup.At(second, harbour, keys).Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	target := &storetest.Memory{}
	if _, err := view.Restore(t.Context(), openSealed(t, view), target, backup.Moment{}, nil); err != nil {
		t.Fatal(err)
	}
	back := openSealed(t, target)
	head, err := back.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if body, err := back.Snapshot(head).Settings(t.Context()); err != nil || string(body) != "one" {
		t.Errorf("%q, %v", body, err)
	}
}

func openSealed(t *testing.T, store lake.Store) *lake.Clinic {
	t.Helper()
	sealed, err := lake.NewKeys(secret.Own(bytes.Repeat([]byte{9}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	clinic, err := lake.Open(store, harbour, lake.Options{NamingKey: make([]byte, 32), Keys: sealed, Encrypt: true, Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	return clinic
}
