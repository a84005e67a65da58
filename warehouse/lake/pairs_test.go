package lake_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// Pairs reads two columns and finds what reading every row finds, also where objects are not stored as they are.
func TestPairs(t *testing.T) {
	for name, clinic := range map[string]*lake.Clinic{"plain": newMemoryClinic(t), "sealed": newMemoryClinic(t)} {
		if name == "sealed" {
			lake.Scramble(clinic)
		}
		upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: invoiced(schedule(2000, 3))})
		want := map[[2]string]bool{}
		for _, r := range rowsOf(t, clinic, lake.InvoiceLines) {
			payer := ""
			if r.PayerID != nil {
				payer = *r.PayerID
			}
			want[[2]string{payer, r.Patient}] = true
		}
		got := map[[2]string]bool{}
		for pair, err := range lake.Pairs(t.Context(), clinic.Snapshot(head(t, clinic)), lake.InvoiceLines, "payer_id", "patient") {
			if err != nil {
				t.Fatal(err)
			}
			got[pair] = true
		}
		if len(got) != len(want) || len(want) < 100 {
			t.Errorf("%s: %d pairs, every row read gives %d", name, len(got), len(want))
		}
		for pair := range got {
			if !want[pair] {
				t.Errorf("%s: the pair %q is in no row", name, pair)
			}
		}
	}
}

// A lost or damaged object, and a column that is not there, end the sequence with an error.
func TestPairsOfADamagedLake(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: invoiced(schedule(50, 1))})
	snapshot := clinic.Snapshot(head(t, clinic))
	errs := func(first, second string) (found []error) {
		for _, err := range lake.Pairs(t.Context(), snapshot, lake.InvoiceLines, first, second) {
			if err != nil {
				found = append(found, err)
			}
		}
		return found
	}
	if found := errs("payer_id", "no_such_column"); len(found) != 1 || !errors.Is(found[0], lake.ErrDamaged) {
		t.Errorf("a column that is not there: %v", found)
	}
	names := slices.Collect(func(yield func(string) bool) {
		for name, err := range store.List(t.Context(), "clinic=harbour-street/data/", "") {
			if err != nil || !yield(name) {
				return
			}
		}
	})
	if err := store.Delete(t.Context(), names[0]); err != nil {
		t.Fatal(err)
	}
	if found := errs("payer_id", "patient"); len(found) != 1 || !errors.Is(found[0], lake.ErrNotFound) {
		t.Errorf("a lost object: %v", found)
	}
}
