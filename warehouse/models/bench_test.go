package models

import (
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// BenchmarkBuild measures a whole build over a synthetic clinic of 1 M appointments with their invoices, claims and
// policies: `go test -bench Build -run '^$' -benchtime 3x ./warehouse/models`.
func BenchmarkBuild(b *testing.B) {
	for _, appointments := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("appointments=%d", appointments), func(b *testing.B) {
			in := syntheticClinic(b, appointments)
			var rows int64
			slowest := map[string]time.Duration{}
			for b.Loop() {
				result, err := Build(b.Context(), in)
				if err != nil {
					b.Fatal(err)
				}
				for _, m := range result.Marts {
					if m.Name == "leak_ledger" {
						rows = m.Rows
					}
				}
				for _, t := range result.Timings {
					slowest[t.Model] = t.Duration
				}
			}
			if rows == 0 {
				b.Fatal("the synthetic clinic has no leak: the benchmark measures nothing")
			}
			b.ReportMetric(float64(appointments)*float64(b.N)/b.Elapsed().Seconds(), "appointments/s")
			if os.Getenv("FALLOFF_TIMINGS") != "" {
				for model, d := range slowest {
					fmt.Fprintf(os.Stderr, "%8d ms %s\n", d.Milliseconds(), model)
				}
			}
		})
	}
}

// syntheticInputs are the settings of the synthetic clinic, and what lies of it in a folder.
func syntheticInputs(dir string) Inputs {
	in := Inputs{
		Tables: map[string][]string{},
		AsOf:   civil.Date{Year: 2026, Month: time.March, Day: 31},
		Settings: settings.Clinic{
			Name: "Synthetic", TimeZone: "America/Toronto", Currency: "CAD", WeekStarts: "monday",
			Fees: []settings.Fee{
				{Kind: settings.NoShow, Item: "No Show Fee", GrossCents: 5000},
				{Kind: settings.LateCancel, Item: "Late Cancellation Fee", GrossCents: 4000, NoticeHours: 24},
			},
		},
	}
	for i := range 4 {
		item := fmt.Sprintf("Treatment %d", i)
		in.Settings.Prices = append(in.Settings.Prices,
			settings.Price{Item: item, Discipline: fmt.Sprintf("Discipline %d", i), GrossCents: int64(8000 + 1000*i)})
	}
	for dataset := range datasetRows() {
		path := filepath.Join(dir, dataset+".parquet")
		if _, err := os.Stat(path); err == nil {
			in.Tables[dataset] = []string{path}
		}
	}
	return in
}

// syntheticClinic writes two years of a clinic straight from SQL: every patient has about 16 appointments a week or so
// apart, of which some are missed, forgotten, unpaid; a third are insured.
func syntheticClinic(tb testing.TB, appointments int) Inputs {
	tb.Helper()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		tb.Fatal(err)
	}
	db := stdsql.OpenDB(connector)
	defer db.Close()
	dir := tb.TempDir()
	in := syntheticInputs(dir)
	exec := func(statement string) {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%v in %s", err, statement)
		}
	}
	exec("set TimeZone = 'UTC'")
	exec(fmt.Sprintf(`
		create table visits as
		with slots as (
			select
				i + 1 as id,
				i // 16 as person,
				hash(i) as dice,
				date '2024-04-01' + cast((hash(i // 16) %% 640) + (i %% 16) * (4 + hash(i // 16, 'pace') %% 9) as integer) as day
			from range(%d) as r(i)
		)
		select
			*,
			'p1_' || md5(person::varchar) as patient,
			'Staff ' || (person %% 25) as staff,
			'Treatment ' || (person %% 4) as item,
			80 * 100 + (person %% 4) * 1000 as price,
			day + to_minutes(cast(720 + 30 * (dice %% 18) as integer)) as starts,
			case
				when day > date '2026-03-31' then 'booked'
				when dice %% 100 < 82 then 'arrived'
				when dice %% 100 < 92 then 'cancelled'
				when dice %% 100 < 98 then 'no_show'
				else 'booked'
			end as state
		from slots`, appointments))
	write := func(dataset, query string) {
		path := filepath.Join(dir, dataset+".parquet")
		exec("copy (" + query + ") to " + quoted(path) + " (format parquet)")
		in.Tables[dataset] = []string{path}
	}
	write(contract.Appointments, `
		select
			id as appointment_id, 0::integer as seat, patient, 'Main' as location, staff as staff_member,
			item as treatment, state, day as service_date,
			starts::timestamptz as starts_at, (starts + interval 30 minute)::timestamptz as ends_at,
			'America/Toronto' as time_zone, null::boolean as first_visit,
			(starts - to_hours(cast(24 * (1 + dice % 14) as integer)))::timestamptz as booked_at,
			case when state = 'arrived' then starts::timestamptz end as arrived_at,
			case when state = 'cancelled' then (starts - to_hours(cast(dice % 60 as integer)))::timestamptz end as cancelled_at,
			null::boolean as booked_online, null::varchar as cancelled_reason, date '2026-03-31' as observed_on
		from visits order by day, id`)
	write(contract.InvoiceLines, `
		select
			id || '-' || side || '01' as invoice_number, id::varchar as invoice_base, side as invoice_side,
			1::integer as invoice_sequence, false as is_reversal, item, 0::integer as ordinal, day as purchase_date,
			day as invoice_date, patient, staff as staff_member, 'Main' as location,
			case side when 'C' then 'insurer' else 'person' end as payer_kind,
			case side when 'C' then 'i' || (person % 5) end as payer_id, false as is_prepay,
			'Treatment' as income_category, 'paid' as status,
			amount as subtotal_cents, 0::bigint as tax_cents, amount as total_cents,
			amount - balance as collected_cents, balance as balance_cents, 'CAD' as currency,
			date '2026-03-31' as observed_on
		from (
			select *, unnest(case when person % 3 = 0 then ['P', 'C'] else ['P'] end) as side,
				(price // case when person % 3 = 0 then 2 else 1 end)::bigint as amount,
				(case when dice % 37 = 0 then price // 2 else 0 end)::bigint as balance
			from visits where state = 'arrived' and dice % 101 <> 0
		) order by day, id, side`)
	write(contract.AppliedPayments, `
		select
			'pay' || id || side as payment_id, id || '-' || side || '01' as invoice_number, 0::integer as ordinal,
			day + cast(dice % 60 as integer) as received_on, day + cast(dice % 60 as integer) as applied_on, day as purchase_date,
			patient, case side when 'C' then 'insurer' else 'person' end as payer_kind,
			case side when 'C' then 'i' || (person % 5) end as payer_id,
			(price // case when person % 3 = 0 then 2 else 1 end - case when dice % 37 = 0 then price // 2 else 0 end)::bigint as amount_cents,
			'CAD' as currency, date '2026-03-31' as observed_on
		from (
			select *, unnest(case when person % 3 = 0 then ['P', 'C'] else ['P'] end) as side
			from visits where state = 'arrived' and dice % 101 <> 0
		)`)
	write(contract.Shifts, `
		select
			staff as staff_member, day as period_from, day as period_to, 480::bigint as shift_minutes, 30::bigint as break_minutes,
			(hash(staff, day) % 450)::bigint as booked_minutes, 7::bigint as booked_count, date '2026-03-31' as observed_on
		from (select distinct staff, day from visits where day <= date '2026-03-31')`)
	write(contract.AccountsReceivable, `
		select
			last_day(month)::date - 27 as period_from, last_day(month)::date as period_to, 0::bigint as opening_cents, 0::bigint as sales_cents,
			0::bigint as transactions_cents, 0::bigint as opening_credits_cents, 0::bigint as closing_credits_cents, 0::bigint as credit_memos_cents,
			0::bigint as tips_cents, 0::bigint as closing_cents, 'CAD' as currency, date '2026-03-31' as observed_on
		from generate_series(timestamp '2024-04-01', timestamp '2026-03-01', interval 1 month) as months (month)`)
	write(contract.Claims, `
		select
			'c' || id as claim_id, id || '-C01' as invoice_number, patient, 'i' || (person % 5) as payer_id,
			null::varchar as policy_id, day as service_date,
			case when dice % 50 = 0 then 'draft' when dice % 50 = 1 then 'rejected' else 'paid' end as folder,
			case when dice % 50 > 0 then day + 1 end as submitted_on,
			case when dice % 50 > 0 then day + 15 end as responded_on,
			null::bigint as claimed_cents, null::bigint as approved_cents, date '2026-03-31' as observed_on
		from visits where state = 'arrived' and person % 3 = 0`)
	write(contract.Policies, `
		select distinct
			patient, 'i' || (person % 5) as payer_id, 'q' || person as policy_id, 'open' as status,
			case when person % 4 = 0 then date '2025-12-31' end as end_date,
			12::integer as treatments_used, 20::integer as max_treatments, null::bigint as policy_maximum_cents,
			date '2026-03-31' as observed_on
		from visits where person % 3 = 0`)
	return in
}
