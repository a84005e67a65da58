package lake_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func rewriteClinic(t *testing.T, store lake.Store, keyVersion int) *lake.Clinic {
	t.Helper()
	c, err := lake.Open(store, "harbour", lake.Options{NamingKey: []byte("thirty-two bytes out of the vault"), KeyVersion: keyVersion})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// landed is a clinic with a group booking, a booking, an insurer's line, and a claim that came and went.
func landed(t *testing.T, store lake.Store) *lake.Commit {
	t.Helper()
	ctx := t.Context()
	day := func(n int32) int32 { return 20_000 + n }
	seat := func(id int64, seat int32, patient string) contract.Appointment {
		return contract.Appointment{AppointmentID: id, Seat: seat, Patient: &patient, StaffMember: "Robin", ServiceDate: day(1), ObservedOn: day(5)}
	}
	claim := contract.Claim{ClaimID: "claim-1", Patient: "ann", PayerID: "sun", ServiceDate: day(1), ObservedOn: day(5)}
	var commit *lake.Commit
	for step := range 2 {
		var err error
		commit, err = rewriteClinic(t, store, 0).Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, lake.Batch[contract.Appointment]{Rows: []contract.Appointment{
				seat(1, 0, "ann"), seat(1, 1, "bob"), seat(1, 2, "cay"), seat(2, 0, "bob"),
				{AppointmentID: 3, State: "never_booked", ServiceDate: day(40), ObservedOn: day(5)},
			}})
			if err != nil {
				return err
			}
			if _, err = lake.Upsert(ctx, tx, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: []contract.InvoiceLine{
				{InvoiceNumber: "1C", Patient: "ann", PayerID: new("sun"), TotalCents: 5000, PurchaseDate: day(1), ObservedOn: day(5)},
				{InvoiceNumber: "1P", Patient: "ann", TotalCents: 100, PurchaseDate: day(1), ObservedOn: day(5)},
			}}); err != nil {
				return err
			}
			batch := lake.Batch[contract.Claim]{Rows: []contract.Claim{claim}}
			if step == 1 {
				batch = lake.Batch[contract.Claim]{Covers: []lake.Cover{{From: contract.DateOf(day(0)), To: contract.DateOf(day(9)), ObservedOn: contract.DateOf(day(10))}}}
			}
			_, err = lake.Upsert(ctx, tx, lake.Claims, batch)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if commit.Datasets[contract.Claims].Removed == nil {
		t.Fatal("nothing was removed: the test proves nothing")
	}
	return commit
}

// turned changes names so that their order turns round.
var turned = map[string]string{"ann": "z-ann", "bob": "y-bob", "cay": "x-cay", "sun": "moon", "claim-1": "claim-2"}

func turn(text string) (string, error) {
	if to, ok := turned[text]; ok {
		return to, nil
	}
	return "", errors.New("not a name that is known")
}

func changes() lake.TextChanges {
	out := lake.TextChanges{Columns: map[string]func(string) (string, error){}, KeyVersion: 2, Others: func(_, _ string) error { return nil }}
	for _, column := range []string{"patient", "payer_id", "policy_id", "claim_id"} {
		out.Columns[column] = turn
	}
	return out
}

func TestRewriteTexts(t *testing.T) {
	ctx, store := t.Context(), &storetest.Memory{}
	before := landed(t, store)
	clinic := rewriteClinic(t, store, 0)
	var done map[string]lake.Rewritten
	commit, err := clinic.Update(ctx, lake.Rekey, func(ctx context.Context, tx *lake.Tx) (err error) {
		done, err = lake.RewriteTexts(ctx, tx, lake.Tables(), changes())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if done[contract.Appointments].Rows != 5 || done[contract.InvoiceLines].Rows != 2 || done[contract.Claims] != (lake.Rewritten{Forgotten: 1}) {
		t.Errorf("%+v", done)
	}
	if commit.PseudonymVersion() != 2 || commit.Format != 2 || before.Format != 1 || commit.Datasets[contract.Claims].Removed != nil {
		t.Errorf("%+v", commit)
	}
	snapshot := clinic.Snapshot(commit)
	if err := snapshot.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	var seats []string
	for row, err := range lake.Rows(ctx, snapshot, lake.Appointments) {
		if err != nil {
			t.Fatal(err)
		}
		seats = append(seats, row.Key()+" "+row.PatientRef())
	}
	if want := []string{"1/0 x-cay", "1/1 y-bob", "1/2 z-ann", "2/0 y-bob", "3/0 "}; !slices.Equal(seats, want) {
		t.Errorf("seats %q, want %q", seats, want)
	}
	// Nobody goes on with the earlier keys, nor jumps over a version.
	for _, version := range []int{0, 1, 3} {
		_, err := rewriteClinic(t, store, version).Update(ctx, lake.Ingest, func(context.Context, *lake.Tx) error {
			t.Error("the plan was run")
			return lake.ErrUnchanged
		})
		if !errors.Is(err, lake.ErrOtherKeys) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	next, err := rewriteClinic(t, store, 2).Update(ctx, lake.Ingest, func(_ context.Context, tx *lake.Tx) error { return tx.SetSource("x", 1) })
	if err != nil || next.PseudonymVersion() != 2 || next.Format != 2 {
		t.Errorf("the commit after: %+v, %v", next, err)
	}
}

// What cannot be rewritten rightly is not rewritten at all.
func TestRewriteRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *lake.TextChanges)
		tables func() []lake.AnyTable
		want   string
	}{
		"a change fails": {change: func(c *lake.TextChanges) {
			c.Columns["payer_id"] = func(string) (string, error) { return "", errors.New("no such payer") }
		}, want: "column payer_id of a row: no such payer"},
		"two become one": {change: func(c *lake.TextChanges) {
			c.Columns["invoice_number"] = func(string) (string, error) { return "1P", nil }
		}, want: "had 2 different rows, and would have 1"},
		"another column": {change: func(c *lake.TextChanges) {
			c.Others = func(column, text string) error {
				if text == "Robin" {
					return errors.New("should have been changed")
				}
				return nil
			}
		}, want: "column staff_member of a row: should have been changed"},
		"an unknown dataset": {tables: func() []lake.AnyTable { return []lake.AnyTable{lake.Appointments, lake.InvoiceLines} }, want: "has a dataset claims that this program cannot rewrite"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, store := t.Context(), &storetest.Memory{}
			before := landed(t, store)
			clinic := rewriteClinic(t, store, 0)
			what, tables := changes(), lake.Tables()
			if c.change != nil {
				c.change(&what)
			}
			if c.tables != nil {
				tables = c.tables()
			}
			_, err := clinic.Update(ctx, lake.Rekey, func(ctx context.Context, tx *lake.Tx) error {
				_, err := lake.RewriteTexts(ctx, tx, tables, what)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if head, err := clinic.Head(ctx); err != nil || head.Number != before.Number {
				t.Errorf("there is another commit: %v", err)
			}
		})
	}
}
