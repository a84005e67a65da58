package models

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// loaded is a DuckDB with the marts of a build.
func loaded(t *testing.T, result *Result) *sql.DB {
	t.Helper()
	connector, err := duckdb.NewConnector(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	dir := t.TempDir()
	for _, mart := range result.Marts {
		path := filepath.Join(dir, mart.Name+".parquet")
		if err := os.WriteFile(path, mart.Parquet, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("create table %s as select * from '%s'", mart.Name, path)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// What is released is counted again from other marts, which were made from the same models in another way.
func TestReleasedTablesAgreeWithTheMarts(t *testing.T) {
	db := loaded(t, buildOf(t, newRandomClinic(t, 5, 400).inputs(t, 5, nil)))
	var exact []disclosure.Exact
	for _, group := range disclosure.Groups() {
		e, err := disclosure.Compute(t.Context(), db, group)
		if err != nil {
			t.Fatal(err)
		}
		exact = append(exact, e)
		for name, cells := range e.Cells {
			if len(cells) == 0 && name != "adjustments" {
				t.Errorf("table %s is empty: the test shows nothing of it", name)
			}
		}
	}
	of := func(table, a, b string, measure int) int64 {
		for _, e := range exact {
			if cells, ok := e.Cells[table]; ok {
				if measure < 0 {
					return cells[disclosure.Label{a, b}].Patients
				}
				if c, ok := cells[disclosure.Label{a, b}]; ok {
					return c.Measures[measure]
				}
				return 0
			}
		}
		t.Fatalf("there is no table %s", table)
		return 0
	}
	compare := func(table string, measure int, query string) {
		t.Helper()
		rows, err := db.QueryContext(context.Background(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		seen := 0
		for rows.Next() {
			var a, b string
			var want int64
			if err := rows.Scan(&a, &b, &want); err != nil {
				t.Fatal(err)
			}
			seen++
			if got := of(table, a, b, measure); got != want {
				t.Errorf("%s (%s, %s): %d, and by the mart %d", table, a, b, got, want)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if seen == 0 {
			t.Errorf("nothing to compare %s with", table)
		}
	}
	compare("patients_by_status", 0, "select status, '', count(*) from patient_status group by 1")
	compare("leaks_by_category", 1, `select category, '', sum(amount_cents)::bigint from leak_ledger
		where certainty <> 'estimate' and last_day(occurred_on) <= as_of group by 1`)
	compare("appointments_by_month", 1, "select month, '', arrived from show_rates where dimension = 'all' and month <> 'all' and last_day(strptime(month, '%Y-%m')) <= as_of")
	compare("appointments_by_month_staff_member", 0, `select month, value, appointments from show_rates
		where dimension = 'staff_member' and month <> 'all' and last_day(strptime(month, '%Y-%m')) <= as_of`)
	compare("appointments_by_month", 9, `select month, '', recovered_14 from missed_recovery
		where kind = 'all' and discipline = 'all' and month <> 'all' and last_day(strptime(month, '%Y-%m')) <= as_of`)
	compare("money_by_month_payer_kind", 2, `select strftime(month_from, '%Y-%m'), payer_kind, collected_cents from collections_by_month
		where payer_kind in ('insurer', 'person') and last_day(month_from) <= as_of and currency = 'CAD'`)
	compare("receivables_by_payer_bucket", 1, `select coalesce(payer, 'person'), bucket, sum(amount_cents)::bigint from receivables_aging
		where basis = 'invoice' and not is_waiting and currency = 'CAD' group by all`)
	compare("claims_by_payer_month", 2, `select payer, sent_month, sum(claims_rejected)::bigint from payer_performance
		where sent_month not in ('all', 'none') and last_day(strptime(sent_month, '%Y-%m')) <= as_of group by all`)
	compare("claims_by_payer_month", 4, `select payer, sent_month, sum(paid_days)::bigint from payer_performance
		where sent_month not in ('all', 'none') and last_day(strptime(sent_month, '%Y-%m')) <= as_of group by all`)
	compare("claims_by_payer_month", 6, `select payer, sent_month, sum(short_cents)::bigint from payer_performance
		where sent_month not in ('all', 'none') and last_day(strptime(sent_month, '%Y-%m')) <= as_of group by all`)
	compare("episodes_by_cohort_month", 1, `select value, '', first_visits from falloff_summary
		where discipline = 'all' and dimension = 'cohort_month' and last_day(strptime(value, '%Y-%m')) <= as_of`)
	compare("adjustments_by_month_kind", 1, `select strftime(month_from, '%Y-%m'), kind, sum(amount_cents)::bigint from adjustments_by_month
		where currency = 'CAD' group by all`)

	released, _, err := disclosure.Release(t.Context(), disclosure.Snapshot{
		AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}, Groups: disclosure.Groups(), Exact: exact,
	}, nil, disclosure.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := released.Load(t.Context(), db, disclosure.MinThreshold); err != nil {
		t.Fatal(err)
	}
	for _, table := range released.Tables() {
		var rows, nulls, small int64
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf("select count(*), count(*) filter (where %q is null), count(*) filter (where suppressed) from released.%q",
			table.Group.Measures[0].Name, table.Table.Name)).Scan(&rows, &nulls, &small); err != nil {
			t.Fatal(err)
		}
		if nulls != small || int(small) != table.Withheld || int(rows) != len(table.Rows) {
			t.Errorf("%s: %d rows, %d without a count, %d suppressed; %d were withheld of %d", table.Table.Name, rows, nulls, small, table.Withheld, len(table.Rows))
		}
		t.Logf("%s: %d of %d withheld", table.Table.Name, small, rows)
		for _, row := range table.Rows {
			var label disclosure.Label
			copy(label[:], row.Label)
			if p := of(table.Table.Name, label[0], label[1], -1); !row.Suppressed && p > 0 && p < disclosure.MinThreshold {
				t.Errorf("%s %v is of %d patients, and shown", table.Table.Name, row.Label, p)
			}
		}
	}
}
