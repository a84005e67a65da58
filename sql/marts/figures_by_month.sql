-- grain: one figure of one month for one set of dimensions; what a figure is not split by is empty
-- key: month, figure, category, detail, discipline, location, currency
-- description: What people quote of a month at D: leaks, charges, balances, adjustments, appointments, patients, new
--   episodes, hours. No row names a patient or a staff member. receivable is what was invoiced by the month's end and
--   is open; episodes_lapsed are those begun in the month that have lapsed. The ledger's category falloff is left out:
--   it is about the days after D, and would be another in every month whenever a visit is known late. A month is
--   complete when it is over by the longest falloff_days and history began before it. These rows are what a closed
--   month publishes.
with leaks as (
    select
        cast(date_trunc('month', leak.occurred_on) as date) as month_from,
        leak.category,
        leak.certainty as detail,
        coalesce(leak.discipline, '') as discipline,
        coalesce(leak.location, '') as location,
        leak.currency,
        cast(sum(leak.amount_cents) as bigint) as cents,
        count(*) as leaks
    from marts.leak_ledger as leak
    where leak.category <> 'falloff'
    group by all
),

charges as (
    select
        cast(date_trunc('month', invoice.service_date) as date) as month_from,
        invoice.side as category,
        invoice.currency,
        cast(sum(invoice.total_cents) as bigint) as charged_cents,
        cast(sum(invoice.open_cents) as bigint) as open_cents,
        count(*) as invoices
    from intermediate.invoices as invoice
    group by all
),

invoiced as (
    select
        cast(date_trunc('month', invoice.invoice_date) as date) as month_from,
        invoice.side as category,
        invoice.currency,
        sum(invoice.open_cents) as open_cents
    from intermediate.invoices as invoice
    group by all
),

receivables as (
    select
        invoiced.month_from,
        invoiced.category,
        invoiced.currency,
        cast(sum(invoiced.open_cents) over (
            partition by invoiced.category, invoiced.currency
            order by invoiced.month_from
        ) as bigint) as open_cents
    from invoiced
),

appointments as (
    select
        cast(date_trunc('month', appointment.service_date) as date) as month_from,
        appointment.state as category,
        appointment.discipline,
        appointment.location,
        count(*) as appointments
    from staging.appointments as appointment
    group by all
),

patients as (
    select
        cast(date_trunc('month', appointment.service_date) as date) as month_from,
        count(distinct appointment.patient) as patients
    from staging.appointments as appointment
    where appointment.state = 'arrived'
    group by all
),

cohorts as (
    select
        cast(date_trunc('month', observation.first_on) as date) as month_from,
        observation.discipline,
        count(*) as episodes,
        count(*) filter (where lapse.event) as lapsed
    from intermediate.observations as observation
    inner join intermediate.lapses as lapse using (entity)
    group by all
),

hours as (
    select
        cast(date_trunc('month', shift.period_from) as date) as month_from,
        cast(sum(shift.shift_minutes - shift.break_minutes) as bigint) as open_minutes,
        cast(sum(shift.booked_minutes) as bigint) as booked_minutes
    from staging.shifts as shift
    where date_trunc('month', shift.period_from) = date_trunc('month', shift.period_to)
    group by all
),

waits as (
    select cast(greatest(max(coalesce(discipline.falloff_days, 42)), 42) as integer) as days
    from staging.clock as clock
    left join settings.disciplines as discipline on true
),

figures as (
    select
        leaks.month_from, 'leaked' as figure, leaks.category, leaks.detail, leaks.discipline, leaks.location,
        leaks.currency, 'cents' as unit, leaks.cents as amount
    from leaks
    union all
    select
        leaks.month_from, 'leaks', leaks.category, leaks.detail, leaks.discipline, leaks.location,
        leaks.currency, 'count', leaks.leaks
    from leaks
    union all
    select
        charges.month_from, 'charged', charges.category, '', '', '', charges.currency, 'cents',
        charges.charged_cents
    from charges
    union all
    select
        charges.month_from, 'open', charges.category, '', '', '', charges.currency, 'cents', charges.open_cents
    from charges
    union all
    select
        charges.month_from, 'invoices', charges.category, '', '', '', charges.currency, 'count',
        charges.invoices
    from charges
    union all
    select
        receivables.month_from, 'receivable', receivables.category, '', '', '', receivables.currency, 'cents',
        receivables.open_cents
    from receivables
    union all
    select
        adjustment.month_from, 'adjusted', adjustment.kind, adjustment.payer_kind, '', '', adjustment.currency,
        'cents', adjustment.amount_cents
    from marts.adjustments_by_month as adjustment
    union all
    select
        appointments.month_from, 'appointments', appointments.category, '', appointments.discipline,
        appointments.location, '', 'count', appointments.appointments
    from appointments
    union all
    select
        patients.month_from, 'patients_seen', '', '', '', '', '', 'count', patients.patients
    from patients
    union all
    select
        cohorts.month_from, 'episodes_begun', '', '', cohorts.discipline, '', '', 'count', cohorts.episodes
    from cohorts
    union all
    select
        cohorts.month_from, 'episodes_lapsed', '', '', cohorts.discipline, '', '', 'count', cohorts.lapsed
    from cohorts
    union all
    select
        hours.month_from, 'open_hours', '', '', '', '', '', 'minutes', hours.open_minutes
    from hours
    union all
    select
        hours.month_from, 'booked_hours', '', '', '', '', '', 'minutes', hours.booked_minutes
    from hours
)

select
    strftime(figures.month_from, '%Y-%m') as month,
    figures.figure,
    figures.category,
    figures.detail,
    figures.discipline,
    figures.location,
    figures.currency,
    figures.unit,
    figures.amount,
    last_day(figures.month_from) + waits.days <= clock.as_of
    and clock.history_from <= figures.month_from as is_complete,
    clock.as_of
from figures
cross join waits
cross join staging.clock as clock
order by month, figures.figure, figures.category, figures.detail, figures.discipline, figures.location, figures.currency
