-- grain: one day on which a staff member had hours that nobody booked
-- key: staff_member, on_day
-- description: Idle time and what it would have brought: idle minutes × the practitioner's collected money a booked
--   minute over the 90 days before, of the days whose hours are known one by one. Money counts by the day of the
--   service, in the clinic's currency; an invoice of several staff members is split by their lines. Hours of longer
--   periods say nothing about a day. Without booked hours in the 90 days there is no rate and no amount.
with days as (
    select
        shift.staff_member,
        shift.period_from as on_day,
        shift.shift_minutes - shift.break_minutes - shift.booked_minutes as idle_minutes,
        shift.booked_minutes
    from staging.shifts as shift
    where shift.period_from = shift.period_to
),

shares as (
    select
        line.invoice_number,
        line.staff_member,
        line.service_date,
        sum(line.total_cents) as total_cents
    from intermediate.standing_lines as line
    inner join days
        on days.staff_member = line.staff_member
        and days.on_day = line.service_date
    group by line.invoice_number, line.staff_member, line.service_date
),

takings as (
    select
        shares.staff_member,
        shares.service_date,
        sum(cast(money.collected_cents as hugeint) * shares.total_cents // money.charged_cents) as collected_cents
    from shares
    inner join intermediate.invoice_money as money using (invoice_number)
    cross join staging.clock as clock
    where money.charged_cents <> 0
        and money.currency = clock.currency
    group by shares.staff_member, shares.service_date
),

rates as (
    select
        days.staff_member,
        days.on_day,
        days.idle_minutes,
        greatest(coalesce(sum(takings.collected_cents) over before, 0), 0) as collected_cents,
        coalesce(sum(days.booked_minutes) over before, 0) as booked_minutes
    from days
    left join takings
        on takings.staff_member = days.staff_member
        and takings.service_date = days.on_day
    window before as (
        partition by days.staff_member
        order by days.on_day
        range between interval 90 days preceding and interval 1 day preceding
    )
)

select
    rates.staff_member,
    rates.on_day,
    rates.idle_minutes,
    cast(rates.collected_cents as bigint) as collected_cents,
    cast(rates.booked_minutes as bigint) as booked_minutes,
    cast(
        case
            when rates.booked_minutes > 0
                then (2 * rates.idle_minutes * rates.collected_cents + rates.booked_minutes)
                    // (2 * rates.booked_minutes)
            else 0
        end as bigint
    ) as amount_cents
from rates
where rates.idle_minutes > 0
