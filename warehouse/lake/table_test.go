package lake_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// The tables name the columns that identify and date a row. If one were missing, reading those columns alone would give
// other units than reading whole rows; so each field is changed in turn, and what it changes is looked at.
func TestTablesNameTheColumnsThatIdentifyARow(t *testing.T) {
	identified(t, lake.Appointments, "appointment_id", "service_date")
	identified(t, lake.InvoiceLines, "invoice_number", "item", "ordinal", "purchase_date")
	identified(t, lake.Claims, "claim_id", "service_date")
	identified(t, lake.Policies, "patient", "payer_id", "policy_id")
	identified(t, lake.Shifts, "staff_member", "period_from", "period_to")
	identified(t, lake.Insurers, "payer_id")
	identified(t, lake.ShiftPeriods, "staff_member", "period_from", "period_to")
	identified(t, lake.Payments, "payment_id", "received_on")
	identified(t, lake.AppliedPayments, "payment_id", "received_on")
	identified(t, lake.Adjustments, "invoice_number", "kind", "adjusted_on", "ordinal")
	identified(t, lake.WriteOffs, "invoice_number", "kind", "adjusted_on", "ordinal")
	identified(t, lake.Credits, "as_of", "account")
	identified(t, lake.AccountsReceivable, "period_from")
	identified(t, lake.UnscheduledPatients, "patient", "discipline")
	identified(t, lake.PortalActivity, "at", "occurred_on", "action", "subject", "ordinal")
	identified(t, lake.AccessLedger, "run_id", "line", "occurred_on")
	identified(t, lake.LeakStates, "leak_id", "sequence", "said_on")
	identified(t, lake.Identities, "patient")
}

func identified[T contract.Row](t *testing.T, table lake.Table[T], want ...string) {
	t.Helper()
	got := map[string]bool{}
	var zero T
	row := reflect.TypeFor[T]()
	for i := range row.NumField() {
		name, _, _ := strings.Cut(row.Field(i).Tag.Get("parquet"), ",")
		changed := reflect.New(row).Elem()
		f := changed.Field(i)
		if f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		default:
			f.SetInt(7)
		}
		r := changed.Interface().(T)
		if r.Unit() != zero.Unit() || r.Day() != zero.Day() {
			got[name] = true
		}
		if r.Observed() != zero.Observed() && name != "observed_on" {
			t.Errorf("%s: Observed depends on %s", table.Name(), name)
		}
		// Rows of one unit must lie together when sorted by key.
		if !strings.HasPrefix(r.Key(), r.Unit()) {
			t.Errorf("%s: key %q does not begin with unit %q", table.Name(), r.Key(), r.Unit())
		}
	}
	for _, name := range want {
		if !got[name] {
			t.Errorf("%s: nothing depends on %s", table.Name(), name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s: unit or day depends on %s, which the table does not name", table.Name(), name)
	}
}

type unsupported struct {
	claimBefore `parquet:"claim"`
	ObservedOn  int32   `parquet:"observed_on,date"`
	Share       float64 `parquet:"share"`
}

func TestNewTableRefusesWhatItCannotStore(t *testing.T) {
	if _, err := lake.NewTable[contract.Claim]("Claims", "service_date", "claim_id"); err == nil {
		t.Error("a name with a capital letter was taken")
	}
	if _, err := lake.NewTable[contract.Claim]("claims", "serviced", "claim_id"); err == nil || !strings.Contains(err.Error(), "serviced") {
		t.Errorf("an unknown day column: %v", err)
	}
	if _, err := lake.NewTable[contract.Claim]("claims", "service_date", "policy_id"); err == nil || !strings.Contains(err.Error(), "policy_id") {
		t.Errorf("a nullable unit column: %v", err)
	}
	if _, err := lake.NewTable[unsupported]("claims", "", "share"); err == nil || !strings.Contains(err.Error(), "the type") {
		t.Errorf("columns of types that the contract does not have: %v", err)
	}
	if _, err := lake.NewTable[*contract.Claim]("claims", "service_date", "claim_id"); err == nil {
		t.Error("rows by pointer were taken")
	}
}

// claimBefore is Claim as it was before it had its last columns.
type claimBefore struct {
	ClaimID       string `parquet:"claim_id"`
	InvoiceNumber string `parquet:"invoice_number"`
	ServiceDate   int32  `parquet:"service_date,date"`
	ObservedOn    int32  `parquet:"observed_on,date"`
}

func (c claimBefore) Key() string        { return c.ClaimID }
func (c claimBefore) Unit() string       { return c.ClaimID }
func (c claimBefore) Day() int32         { return c.ServiceDate }
func (c claimBefore) PatientRef() string { return "" }
func (c claimBefore) Observed() int32    { return c.ObservedOn }

// claimOtherwise is Claim with a column of another type.
type claimOtherwise struct {
	ClaimID       string `parquet:"claim_id"`
	InvoiceNumber int64  `parquet:"invoice_number"`
	ServiceDate   int32  `parquet:"service_date,date"`
	ObservedOn    int32  `parquet:"observed_on,date"`
}

func (c claimOtherwise) Key() string        { return c.ClaimID }
func (c claimOtherwise) Unit() string       { return c.ClaimID }
func (c claimOtherwise) Day() int32         { return c.ServiceDate }
func (c claimOtherwise) PatientRef() string { return "" }
func (c claimOtherwise) Observed() int32    { return c.ObservedOn }

func TestANewColumnIsNullInOldPartitionsAndATypeNeverChanges(t *testing.T) {
	clinic := newMemoryClinic(t)
	before, err := lake.NewTable[claimBefore]("claims", "service_date", "claim_id")
	if err != nil {
		t.Fatal(err)
	}
	upsertInto(t, clinic, before, lake.Batch[claimBefore]{Rows: []claimBefore{{ClaimID: "c1", InvoiceNumber: "9-C01", ServiceDate: 20000, ObservedOn: 20010}}})
	rows := rowsOf(t, clinic, lake.Claims)
	want := contract.Claim{ClaimID: "c1", InvoiceNumber: "9-C01", ServiceDate: 20000, ObservedOn: 20010}
	if len(rows) != 1 || !reflect.DeepEqual(rows[0], want) {
		t.Fatalf("read with the new columns: %+v", rows)
	}
	folder := "rejected"
	upsertInto(t, clinic, lake.Claims, lake.Batch[contract.Claim]{Rows: []contract.Claim{
		{ClaimID: "c2", InvoiceNumber: "10-C01", ServiceDate: 20001, Folder: folder, ClaimedCents: new(int64), ObservedOn: 20010},
	}})
	if rows := rowsOf(t, clinic, lake.Claims); len(rows) != 2 || rows[0].ClaimID != "c1" || rows[1].Folder != folder {
		t.Fatalf("old and new rows in one partition: %+v", rows)
	}
	otherwise, err := lake.NewTable[claimOtherwise]("claims", "service_date", "claim_id")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range lake.Rows(t.Context(), clinic.Snapshot(head(t, clinic)), otherwise) {
		if err == nil || !strings.Contains(err.Error(), "invoice_number") {
			t.Errorf("a text column was read as a number: %v", err)
		}
	}
}
