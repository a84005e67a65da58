package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

func TestRowOrderPartsAndThreadsChangeNothing(t *testing.T) {
	clinic := newRandomClinic(t, 1, 150)
	first := buildOf(t, clinic.inputs(t, 1, nil))
	for i, parts := range []int{1, 3, 7} {
		t.Run(fmt.Sprintf("parts=%d", parts), func(t *testing.T) {
			in := clinic.inputs(t, parts, rand.New(rand.NewPCG(uint64(i), 3)))
			in.Threads = 1 + 2*i
			again := buildOf(t, in)
			for j, m := range again.Marts {
				if !bytes.Equal(m.Parquet, first.Marts[j].Parquet) {
					t.Errorf("%s has other bytes: %d rows, %d bytes; before %d rows, %d bytes",
						m.Name, m.Rows, len(m.Parquet), first.Marts[j].Rows, len(first.Marts[j].Parquet))
				}
			}
		})
	}
}

func TestAMartOfManyRowGroupsIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	in := syntheticClinic(t, 200_000)
	// Nothing was ever invoiced, so that every visit is a row of the ledger.
	delete(in.Tables, contract.InvoiceLines)
	in.Threads = 1
	one := buildOf(t, in)
	in.Threads = 4
	four := buildOf(t, in)
	for i, m := range four.Marts {
		if !bytes.Equal(m.Parquet, one.Marts[i].Parquet) {
			t.Errorf("%s (%d rows) depends on the number of threads", m.Name, m.Rows)
		}
	}
	ledger, _ := four.Mart("leak_ledger")
	if file, err := parquet.OpenFile(bytes.NewReader(ledger.Parquet), int64(len(ledger.Parquet))); err != nil || len(file.RowGroups()) < 2 {
		t.Errorf("the ledger of %d rows has one row group (%v): make the clinic larger", ledger.Rows, err)
	}
}

func buildOf(t *testing.T, in Inputs) *Result {
	t.Helper()
	in.ScratchDir = t.TempDir()
	result, err := Build(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(in.ScratchDir)
	if err != nil || len(left) > 0 {
		t.Errorf("the build left %v in its scratch directory (%v)", left, err)
	}
	return result
}

func TestMartsOfTheRandomClinic(t *testing.T) {
	in := newRandomClinic(t, 2, 150).inputs(t, 2, nil)
	day := civil.Date{Year: 2026, Month: 3, Day: 31}
	in.Closed = []ClosedFigure{{FigureName: FigureName{Figure: "charged"}, Month: "2025-12", Unit: "cents", AsOf: day, ClosedOn: day}}
	in.Restatements = []Restatement{{FigureName: FigureName{Figure: "charged"}, Month: "2025-12", Unit: "cents", FirstSeen: day}}
	result := buildOf(t, in)
	want := []string{
		"adjustments_by_month", "billing_warnings", "caseload", "cells_appointments", "cells_claims", "cells_episodes", "cells_money", "cohort_retention", "collections_by_month", "control_totals", "episode_status", "falloff_by_days",
		"falloff_by_visit", "falloff_outcomes", "falloff_summary", "falloff_watch", "figures_by_month", "leak_ledger", "leak_recoveries", "missed_recovery", "money_identity",
		"outlook_calibration", "outlook_models", "patient_outlook", "patient_status", "payer_performance", "published_figures", "receivables_aging",
		"receivables_summary", "restatements", "show_rates", "staff_hours", "visits_by_week",
	}
	var names []string
	for _, m := range result.Marts {
		names = append(names, m.Name)
		file, err := parquet.OpenFile(bytes.NewReader(m.Parquet), int64(len(m.Parquet)))
		if err != nil {
			t.Fatalf("%s is no Parquet file: %v", m.Name, err)
		}
		if file.NumRows() != m.Rows || m.Rows == 0 {
			t.Errorf("%s: the file has %d rows, the result says %d", m.Name, file.NumRows(), m.Rows)
		}
		var columns []string
		for _, c := range m.Columns {
			columns = append(columns, c.Name)
		}
		for _, c := range file.Schema().Columns() {
			if !slices.Contains(columns, c[0]) {
				t.Errorf("%s: column %s is in the file and not in the result", m.Name, c[0])
			}
		}
		if m.Grain == "" || m.Description == "" || len(m.Key) == 0 {
			t.Errorf("%s lacks grain, key or description", m.Name)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("marts %v, want %v", names, want)
	}
	ledger, isThere := result.Mart("leak_ledger")
	if !isThere {
		t.Fatal("no leak_ledger")
	}
	// The truth's columns come first, in its order.
	for i, name := range []string{"category", "source_id", "occurred_on", "amount_cents"} {
		if ledger.Columns[i].Name != name {
			t.Errorf("column %d of the ledger is %s, want %s", i, ledger.Columns[i].Name, name)
		}
	}
	if _, isThere := result.Mart("nothing"); isThere {
		t.Error("a mart that does not exist was found")
	}
}

func TestLedgerOfTheRandomClinicHasEveryCategory(t *testing.T) {
	clinic := newRandomClinic(t, 3, 300)
	counts := map[string]int{}
	result := buildOf(t, clinic.inputs(t, 1, nil))
	ledger, _ := result.Mart("leak_ledger")
	type row struct {
		Category string `parquet:"category,optional"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(ledger.Parquet), int64(len(ledger.Parquet)))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		counts[r.Category]++
	}
	for _, category := range []string{"visit_not_closed", "arrived_no_charge", "no_show_fee", "late_cancel_fee", "after_policy_end",
		"over_policy_maximum", "claim_never_sent", "claim_rejected", "claim_underpaid", "insurer_balance_aged", "copay_missed",
		"patient_balance_aged", "idle_capacity", "falloff"} {
		if counts[category] == 0 {
			t.Errorf("the random clinic has no %s: it proves nothing of it", category)
		}
	}
}

func TestFactsAfterTheDayChangeNothing(t *testing.T) {
	clinic := newRandomClinic(t, 4, 150)
	// A policy's count has no date of its own, so it is no fact of any day: leave it out on both sides.
	for i := range clinic.Policies {
		clinic.Policies[i].TreatmentsUsed = nil
	}
	in := clinic.inputs(t, 1, nil)
	in.AsOf = clinic.asOf.AddDays(-60)
	known := buildOf(t, in)

	// Forget what the rows say happened after D, as far as they say when.
	after := func(d int32) bool { return d > contract.DayOf(in.AsOf) }
	clinic.Lines = slices.DeleteFunc(clinic.Lines, func(l contract.InvoiceLine) bool { return after(l.InvoiceDate) })
	clinic.Claims = slices.DeleteFunc(clinic.Claims, func(c contract.Claim) bool { return c.SubmittedOn != nil && after(*c.SubmittedOn) })
	for i := range clinic.Claims {
		c := &clinic.Claims[i]
		if c.RespondedOn != nil && after(*c.RespondedOn) {
			c.Folder, c.RespondedOn = contract.ClaimSubmitted, nil
		}
	}
	over := in.AsOf.AddDays(1).In(clinic.zone).UnixMicro()
	clinic.Appointments = slices.DeleteFunc(clinic.Appointments, func(a contract.Appointment) bool {
		return a.BookedAt != nil && *a.BookedAt >= over
	})
	for i := range clinic.Appointments {
		a := &clinic.Appointments[i]
		if a.ArrivedAt != nil && *a.ArrivedAt >= over || a.State != contract.Cancelled && a.State != contract.Archived &&
			a.State != contract.Rescheduled && after(a.ServiceDate) {
			a.State, a.ArrivedAt = contract.Booked, nil
		}
		if a.CancelledAt != nil && *a.CancelledAt >= over {
			a.CancelledAt = nil
			if a.State == contract.Cancelled {
				a.State = contract.Booked
			}
		}
	}
	then := clinic.inputs(t, 1, nil)
	then.AsOf = in.AsOf
	again := buildOf(t, then)
	for i, m := range again.Marts {
		if !bytes.Equal(m.Parquet, known.Marts[i].Parquet) {
			t.Errorf("%s at %s depends on what happened later", m.Name, in.AsOf)
		}
	}
}

func TestOnlyMartsOutliveABuild(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	in := newRandomClinic(t, 8, 30).inputs(t, 1, nil)
	s, err := open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.prepare(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	timings, err := s.run(t.Context(), project, project.Models, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(timings) != len(project.Models) || !slices.ContainsFunc(timings, func(x Timing) bool { return x.IsView }) {
		t.Errorf("%d timings for %d models, or no view among them", len(timings), len(project.Models))
	}
	rows, err := s.conn.QueryContext(t.Context(), "select schema_name || '.' || table_name from duckdb_tables() where schema_name in ('staging', 'intermediate')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s still takes memory", name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestBuildRefuses(t *testing.T) {
	day := civil.Date{Year: 2026, Month: 3, Day: 31}
	good := settings.Clinic{Name: "Good", TimeZone: "America/Toronto", Currency: "CAD"}
	garbage := filepath.Join(t.TempDir(), "garbage.parquet")
	if err := os.WriteFile(garbage, []byte("<html>not found</html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	type otherContract struct {
		ClaimID string `parquet:"claim_id"`
	}
	old := filepath.Join(t.TempDir(), "old.parquet")
	writeRows(t, old, []otherContract{{"c"}})
	type otherType struct {
		PayerID    int64  `parquet:"payer_id"`
		Name       string `parquet:"name"`
		ObservedOn int32  `parquet:"observed_on,date"`
	}
	changed := filepath.Join(t.TempDir(), "changed.parquet")
	writeRows(t, changed, []otherType{{1, "x", 1}})

	for name, test := range map[string]struct {
		in   Inputs
		want []string
	}{
		"no day":           {Inputs{Settings: good}, []string{"as-of day", "newest day"}},
		"no zone":          {Inputs{AsOf: day, Settings: settings.Clinic{Currency: "CAD"}}, []string{"time_zone", "clinic.yaml"}},
		"no currency":      {Inputs{AsOf: day, Settings: settings.Clinic{TimeZone: "UTC"}}, []string{"currency", "clinic.yaml"}},
		"unknown zone":     {Inputs{AsOf: day, Settings: settings.Clinic{TimeZone: "Mars/Olympus", Currency: "CAD"}}, []string{"Mars/Olympus"}},
		"unknown dataset":  {Inputs{AsOf: day, Settings: good, Tables: map[string][]string{"charts": {old}}}, []string{"charts", "appointments"}},
		"no parquet":       {Inputs{AsOf: day, Settings: good, Tables: map[string][]string{contract.Claims: {garbage}}}, []string{"dataset claims", "garbage.parquet"}},
		"missing file":     {Inputs{AsOf: day, Settings: good, Tables: map[string][]string{contract.Claims: {garbage + "x"}}}, []string{"dataset claims", "garbage.parquetx"}},
		"missing column":   {Inputs{AsOf: day, Settings: good, Tables: map[string][]string{contract.Claims: {old}}}, []string{"dataset claims", "invoice_number", "import it again"}},
		"type changed":     {Inputs{AsOf: day, Settings: good, Tables: map[string][]string{contract.Insurers: {changed}}}, []string{"insurers", "payer_id", "BIGINT", "VARCHAR"}},
		"no scratch place": {Inputs{AsOf: day, Settings: good, ScratchDir: garbage + "/no"}, []string{"scratch directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(t.Context(), test.in)
			if err == nil {
				t.Fatal("the build went through")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestBuildStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Build(ctx, newRandomClinic(t, 5, 10).inputs(t, 1, nil))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want a cancelled context", err)
	}
}
