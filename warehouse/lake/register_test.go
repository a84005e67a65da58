package lake_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func TestARegisterChangesByCompareAndSwap(t *testing.T) {
	ctx := t.Context()
	store := new(storetest.Memory)
	r := openClinic(t, store).Register("lease")
	if value, version, err := r.Read(ctx); value != nil || version != 0 || err != nil {
		t.Fatalf("a register never set reads as %q, version %d, %v", value, version, err)
	}
	version := int64(0)
	for i := range 100 {
		var err error
		if version, err = r.Swap(ctx, version, []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		value, read, err := r.Read(ctx)
		if counts, err := r.Version(ctx); err != nil || counts != read {
			t.Errorf("version %d counts, read was %d: %v", counts, read, err)
		}
		if err != nil || read != version || string(value) != strconv.Itoa(i) {
			t.Fatalf("after %d: %q, version %d (swapped to %d), %v", i, value, read, version, err)
		}
	}
	if _, err := r.Swap(ctx, version-1, []byte("late")); !errors.Is(err, lake.ErrOvertaken) {
		t.Errorf("a swap from the version before: %v", err)
	}
	if names := storetest.Names(t, store, "clinic=harbour-street/state/lease/"); len(names) > 65 {
		t.Errorf("%d values are kept", len(names))
	}
	if other, _, err := openClinic(t, store).Register("hold").Read(ctx); other != nil || err != nil {
		t.Errorf("another register reads %q, %v", other, err)
	}
}

// Whoever comes back after a long sleep finds its number free again, since old values are removed, and must not win by that.
func TestASwapFromAVersionLongGoneDoesNotCount(t *testing.T) {
	ctx := t.Context()
	r := openClinic(t, new(storetest.Memory)).Register("lease")
	version := int64(0)
	for i := range 150 {
		var err error
		if version, err = r.Swap(ctx, version, []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	for slept := range version {
		if _, err := r.Swap(ctx, slept, []byte("sleeper")); err == nil {
			t.Fatalf("a swap from version %d of %d: %v", slept, version, err)
		}
		if value, _, err := r.Read(ctx); err != nil || string(value) != "149" {
			t.Fatalf("after the sleeper of version %d the register reads %q, %v", slept, value, err)
		}
	}
}

// Thirty-two writers count up together; each increment counts once.
func TestRacingSwapsLoseNothing(t *testing.T) {
	const writers, turns = 32, 8
	store := new(storetest.Memory)
	var group sync.WaitGroup
	var unclear atomic.Int64
	for w := range writers {
		group.Go(func() {
			r := openClinic(t, store).Register("budget")
			for i := range turns {
				for {
					value, version, err := r.Read(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					count := 0
					if value != nil {
						_, _ = fmt.Sscan(string(value), &count)
					}
					_, err = r.Swap(context.Background(), version, fmt.Appendf(nil, "%d by %d at %d", count+1, w, i))
					if errors.Is(err, lake.ErrOvertaken) {
						continue
					}
					if err != nil {
						unclear.Add(1) // it may count or not; this writer counts again
						continue
					}
					break
				}
			}
		})
	}
	group.Wait()
	value, _, err := openClinic(t, store).Register("budget").Read(t.Context())
	count := 0
	_, _ = fmt.Sscan(string(value), &count)
	if err != nil || count < writers*turns || count > writers*turns+int(unclear.Load()) {
		t.Errorf("%d increments, and %d of which it was not known, counted as %d, %v", writers*turns, unclear.Load(), count, err)
	}
}

// A swap whose request fails leaves the old value or the new one, and reading tells which.
func TestASwapThatFailsIsDoneOrNot(t *testing.T) {
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for call := 1; call <= 12; call++ {
			memory := new(storetest.Memory)
			if _, err := openClinic(t, memory).Register("hold").Swap(t.Context(), 0, []byte("before")); err != nil {
				t.Fatal(err)
			}
			faulty := &storetest.Faulty{Store: memory, Fail: call, Fault: fault}
			_, failed := openClinic(t, faulty).Register("hold").Swap(t.Context(), 1, []byte("after"))
			value, version, err := openClinic(t, memory).Register("hold").Read(t.Context())
			switch {
			case err != nil:
				t.Fatal(err)
			case failed == nil && (string(value) != "after" || version != 2):
				t.Errorf("fault %d at call %d: it succeeded and reads %q", fault, call, value)
			case string(value) != "after" && string(value) != "before":
				t.Errorf("fault %d at call %d: %q", fault, call, value)
			case errors.Is(failed, lake.ErrOvertaken):
				t.Errorf("fault %d at call %d: nobody overtook it: %v", fault, call, failed)
			}
		}
	}
}
