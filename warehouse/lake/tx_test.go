package lake_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func TestMarts(t *testing.T) {
	clinic := newMemoryClinic(t)
	if err := run(t.Context(), clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}); err != nil {
		t.Fatal(err)
	}
	mart := invoiceMart(t)
	put := func(name string, body []byte, input int64) error {
		_, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
			tx.SetChecks([]lake.Check{{Name: "money_identity", Passed: true, Input: input}})
			return tx.PutMart(ctx, name, body, lake.Origin{Input: input, AsOf: date("2026-01-01")})
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

func TestACommitInTheMakingCanBeReadAndCompared(t *testing.T) {
	clinic := newMemoryClinic(t)
	batch := appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}
	plan := func(b appointments, same bool, rows int64) {
		t.Helper()
		_, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			if _, err := lake.Upsert(ctx, tx, lake.Appointments, b); err != nil {
				return err
			}
			if got := tx.Snapshot().Commit().Datasets["appointments"].Rows(); got != rows || tx.SameAsHead() != same {
				t.Errorf("%d rows, same %v; want %d, %v", got, tx.SameAsHead(), rows, same)
			}
			for _, err := range lake.Rows(ctx, tx.Snapshot(), lake.Appointments) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	plan(batch, false, 1)
	plan(batch, true, 1)
	plan(appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-01")}, false, 2)
	if _, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
		return tx.PutMart(ctx, "leaks", invoiceMart(t), lake.Origin{Input: tx.Head().Number, AsOf: date("2026-01-01")})
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := clinic.Update(t.Context(), lake.Build, func(_ context.Context, tx *lake.Tx) error {
		if len(tx.Marts()) != 1 || !tx.SameAsHead() {
			t.Errorf("marts %v, same %v", tx.Marts(), tx.SameAsHead())
		}
		return lake.ErrUnchanged
	}); err != nil {
		t.Fatal(err)
	}
}
