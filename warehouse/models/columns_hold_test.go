package models

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Written by hand, from reading the models.
func TestColumnLineageOfTenColumns(t *testing.T) {
	nodes, err := ColumnLineage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"staff_hours.shift_minutes":         "lake.shift_periods.shift_minutes lake.shifts.shift_minutes",
		"staff_hours.utilisation":           "lake.shift_periods.booked_minutes lake.shift_periods.break_minutes lake.shift_periods.shift_minutes lake.shifts.booked_minutes lake.shifts.break_minutes lake.shifts.shift_minutes",
		"adjustments_by_month.amount_cents": "lake.adjustments.amount_cents lake.write_offs.amount_cents",
		"visits_by_week.week_from":          "lake.appointments.service_date settings.clinic.week_starts",
		"visits_by_week.discipline":         "settings.prices.discipline",
		"visits_by_week.appointments":       "",
		"visits_by_week.patients":           "lake.appointments.patient",
		"leak_ledger.claim_folder":          "lake.claims.folder lake.claims.observed_on lake.claims.responded_on settings.clinic.as_of",
		"leak_ledger.invoice_date":          "lake.invoice_lines.invoice_date",
		"published_figures.difference":      "closed.figures.published closed.figures.restated",
		"patient_status.last_on":            "lake.appointments.service_date",
		"receivables_aging.payer":           "lake.insurers.name lake.invoice_lines.invoice_side lake.invoice_lines.payer_kind",
	} {
		found, err := ColumnsOf(nodes, []string{name})
		if err != nil {
			t.Error(err)
			continue
		}
		values := slices.DeleteFunc(slices.Clone(found[0].Values), func(v string) bool { return strings.HasSuffix(v, ".*") })
		if got := strings.Join(values, " "); got != want {
			t.Errorf("%s is made from %s, want %s", name, got, want)
		}
	}
}

// A column of the lake that lineage does not name for a column of a mart is not in it: other values change nothing there.
func TestWhatIsNotInTheLineageChangesNothing(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := project.ColumnLineage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := digests(t, project, newRandomClinic(t, 9, 40))
	columns := lakeColumns(t)
	if os.Getenv("FALLOFF_LONG") == "" {
		rand.New(rand.NewPCG(9, 9)).Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		columns = columns[:8]
	}
	changed := 0
	for _, name := range columns {
		clinic := newRandomClinic(t, 9, 40)
		clinic.rotate(t, name)
		after := digests(t, project, clinic)
		for _, n := range nodes {
			if before[n.Name] == after[n.Name] {
				continue
			}
			changed++
			if !slices.Contains(n.Values, name) && !slices.Contains(n.Rows, name) {
				t.Errorf("%s changes with %s, which its lineage does not name", n.Name, name)
			}
		}
	}
	if changed == 0 {
		t.Error("nothing changed anything: the test proves nothing")
	}
}

// datasets are the clinic's rows by dataset.
func (c *randomClinic) datasets() map[string]any {
	return map[string]any{
		contract.Appointments: c.Appointments, contract.InvoiceLines: c.Lines, contract.Claims: c.Claims, contract.Policies: c.Policies,
		contract.Insurers: c.Insurers, contract.Shifts: c.Shifts, contract.ShiftPeriods: c.Periods, contract.Adjustments: c.Adjustments,
		contract.WriteOffs: c.WriteOffs, contract.AppliedPayments: c.Applied, contract.LeakStates: c.Said,
	}
}

// lakeColumns names the columns of the datasets that a random clinic has.
func lakeColumns(t *testing.T) []string {
	t.Helper()
	var out []string
	for dataset := range (&randomClinic{}).datasets() {
		columns, err := schemaOf(datasetRows()[dataset])
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range columns {
			out = append(out, "lake."+dataset+"."+c.Name)
		}
	}
	slices.Sort(out)
	return out
}

// rotate gives every row the column's value of the next row, so that values stay those that occur.
func (c *randomClinic) rotate(t *testing.T, name string) {
	t.Helper()
	table, column := splitSource(name)
	rows := reflect.ValueOf(c.datasets()[strings.TrimPrefix(table, "lake.")])
	at := -1
	for i := range rows.Type().Elem().NumField() {
		if tag, _, _ := strings.Cut(rows.Type().Elem().Field(i).Tag.Get("parquet"), ","); tag == column {
			at = i
		}
	}
	if at < 0 || rows.Len() == 0 {
		t.Fatalf("the random clinic has no %s", name)
	}
	first := reflect.New(rows.Index(0).Field(at).Type()).Elem()
	first.Set(rows.Index(0).Field(at))
	for i := range rows.Len() - 1 {
		rows.Index(i).Field(at).Set(rows.Index(i + 1).Field(at))
	}
	rows.Index(rows.Len() - 1).Field(at).Set(first)
}

// digests are the values of each column of each mart, in an order that is the values' own.
func digests(t *testing.T, project *Project, clinic *randomClinic) map[string]string {
	t.Helper()
	in := clinic.inputs(t, 1, nil)
	var marts []string
	for _, m := range project.Models {
		if m.Layer == Marts {
			marts = append(marts, m.Name())
		}
	}
	w, err := project.Run(t.Context(), in, marts...)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	out := map[string]string{}
	for _, mart := range marts {
		columns, err := w.Columns(t.Context(), mart)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range columns {
			var digest string
			query := fmt.Sprintf("select md5(coalesce(string_agg(coalesce(%s::varchar, '-'), '|' order by %s), '')) from %s", c.Name, c.Name, mart)
			if err := w.session.conn.QueryRowContext(t.Context(), query).Scan(&digest); err != nil {
				t.Fatal(err)
			}
			out[mart+"."+c.Name] = digest
		}
	}
	return out
}
