package analysis

import (
	"context"
	"fmt"
	"strconv"

	"cloud.google.com/go/civil"
)

// visits makes the views that the macros take of events: what had happened by D, and what was ahead.
func (db *database) visits(ctx context.Context, q Request) error {
	d := "date '" + q.AsOf.String() + "'"
	err := db.execAll(ctx,
		"create view visits as select '' as series, entity, date as visit_on, false as is_first_visit from given where date <= "+d,
		"create view bookings as select '' as series, entity, date as booked_for from given where date > "+d,
	)
	if err != nil {
		return err
	}
	var earliest string
	var past int64
	if err := db.conn.QueryRowContext(ctx, "select strftime(min(date), '%Y-%m-%d'), count(*) filter (where date <= "+d+") from given").Scan(&earliest, &past); err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	if past == 0 {
		return &InputError{File: q.File, Column: "date", Text: fmt.Sprintf("every event is after %s: choose an --as-of from %s on", q.AsOf, earliest)}
	}
	return nil
}

func (db *database) retention(ctx context.Context, q Request, to Answer) error {
	if err := db.visits(ctx, q); err != nil {
		return err
	}
	return db.answer(ctx, to, `
		select strftime(cell.cohort_month, '%Y-%m') as cohort_month, cell.month_index, cell.cohort_size, cell.active
		from retention('visits', date '`+q.AsOf.String()+`') as cell
		order by cell.cohort_month, cell.month_index`)
}

func (db *database) survivalOfEvents(ctx context.Context, q Request, to Answer) error {
	if err := db.visits(ctx, q); err != nil {
		return err
	}
	days := strconv.Itoa(q.FalloffDays)
	err := db.execAll(ctx,
		`create table observations as
			select entity, min(visit_on) as first_on, date '`+q.AsOf.String()+`' as observed_until, `+days+` as falloff_days
			from visits group by entity`,
		`create table engagements as select distinct entity, visit_on as begins_on, visit_on as ends_on, true as is_visit from visits`,
	)
	if err != nil {
		return err
	}
	lapses := "last_visit('visits', 'observations')"
	if q.Definition == FirstLapse {
		if err := db.execAll(ctx, "create table gaps as from engagement_gaps('engagements', 'observations')"); err != nil {
			return err
		}
		lapses = "first_lapse('gaps', 'observations')"
	}
	if err := db.execAll(ctx, "create table durations as select '' as series, time, event from "+lapses); err != nil {
		return err
	}
	var judged int64
	if err := db.conn.QueryRowContext(ctx, "select count(*) from durations").Scan(&judged); err != nil {
		return fmt.Errorf("counting durations: %w", err)
	}
	if judged == 0 {
		return &InputError{File: q.File, Text: fmt.Sprintf(
			"every entity was first seen after %s, within the last %d days, where nobody can be found to have lapsed: choose a later --as-of or fewer --falloff-days",
			daysBefore(q.AsOf, q.FalloffDays), q.FalloffDays)}
	}
	return db.survival(ctx, nil, to)
}

func daysBefore(d civil.Date, n int) civil.Date { return d.AddDays(-n) }

// survival answers with the curve of the table `durations`, made of the file where it is not there yet.
func (db *database) survival(ctx context.Context, columns map[string]bool, to Answer) error {
	if columns != nil {
		if err := db.execAll(ctx, "create view durations as select series, time, event = 1 as event from given"); err != nil {
			return err
		}
	}
	return db.answer(ctx, to, `
		select `+groupColumn(columns)+`
			estimate.time, estimate.n_risk, estimate.n_event, estimate.n_censor, estimate.survival, estimate.std_err, estimate.ci_low, estimate.ci_high
		from kaplan_meier('durations') as estimate
		order by estimate.series, estimate.time`)
}

func groupColumn(columns map[string]bool) string {
	if columns["group"] {
		return `estimate.series as "group",`
	}
	return ""
}

func (db *database) incidence(ctx context.Context, columns map[string]bool, to Answer) error {
	if err := db.execAll(ctx, "create view durations as select series, time, event as cause from given"); err != nil {
		return err
	}
	return db.answer(ctx, to, `
		select `+groupColumn(columns)+`
			estimate.time, estimate.cause, estimate.n_risk, estimate.n_event, estimate.n_censor, estimate.incidence
		from aalen_johansen('durations') as estimate
		order by estimate.series, estimate.time, estimate.cause`)
}

func (db *database) status(ctx context.Context, q Request, to Answer) error {
	if err := db.visits(ctx, q); err != nil {
		return err
	}
	if err := db.execAll(ctx, "create table days as from visit_episodes('visits')"); err != nil {
		return err
	}
	return db.answer(ctx, to, `
		with spans as (
			select day.entity, min(day.visit_on) as first, max(day.visit_on) as last, count(*) as visits from days as day group by day.entity
		)
		select spans.entity, strftime(spans.first, '%Y-%m-%d') as first, strftime(spans.last, '%Y-%m-%d') as last, spans.visits, state.status
		from visit_status('days', 'bookings', date '`+q.AsOf.String()+`') as state
		inner join spans using (entity)
		order by spans.entity`)
}

func (db *database) aging(ctx context.Context, q Request, to Answer) error {
	if err := db.execAll(ctx, "create view balances as select '' as series, invoice, invoiced_on, settled_on, aged_from, amount from given"); err != nil {
		return err
	}
	return db.answer(ctx, to, `
		select aged.bucket, aged.invoices, aged.amount
		from aging('balances', date '`+q.AsOf.String()+`') as aged
		order by aged.place`)
}
