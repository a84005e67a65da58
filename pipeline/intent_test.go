package pipeline

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// TestIntentOfTheDeadIsKept: a process that ends without a word leaves what it had begun last, and whoever comes after it
// keeps that, with the time by which it was dead; one that comes to its end leaves nothing.
func TestIntentOfTheDeadIsKept(t *testing.T) {
	s := siteOn(t, &storetest.Memory{})
	sales := extractors.Order{Report: "sales", Window: *overJuly()}
	claims := extractors.Order{Report: "claims", Window: *overAugust()}
	began := time.Now().UTC()

	held, _ := mustTake(t, s, tenantOn("a", 1, 0))
	first := &extraction{site: s, tenure: held}
	for _, order := range []extractors.Order{sales, claims, claims} { // the second is tried again
		if err := first.intend(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	die(held)

	next := tenantOn("a", 2, 0)
	next.gone = func(pid int) bool { return pid == 1 }
	s.asTenant = &next
	second := func(do func(ctx context.Context, x *extraction) error) {
		t.Helper()
		ledger, err := newAccessLedger(s, time.UTC, civil.Date{Year: 2026, Month: 9, Day: 14})
		if err != nil {
			t.Fatal(err)
		}
		x := &extraction{site: s, progress: Progress(nil).orSilent(), out: &Extracted{}, ledger: ledger}
		if err := x.hold(t.Context(), func(ctx context.Context) error { return do(ctx, x) }); err != nil {
			t.Fatal(err)
		}
	}
	second(func(ctx context.Context, x *extraction) error {
		found, err := s.unfinished(ctx)
		if err != nil || len(found) != 1 {
			t.Fatalf("%d intents are left, %v", len(found), err)
		}
		k := found[0]
		if k.Report != "claims" || k.Window != *overAugust() || k.Tries != 2 || k.SignIns != 1 {
			t.Errorf("it had begun %+v", k)
		}
		if k.Since.Before(began) || k.Until.Before(k.Since) || k.Until.After(time.Now()) {
			t.Errorf("it was at work from %v to %v", k.Since, k.Until)
		}
		return x.intend(ctx, sales)
	})
	second(func(ctx context.Context, _ *extraction) error {
		if found, err := s.unfinished(ctx); err != nil || len(found) != 1 {
			t.Errorf("after one that came to its end %d intents are left, %v", len(found), err)
		}
		return nil
	})
}
