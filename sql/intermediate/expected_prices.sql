-- grain: one item at one location on one day on which somebody was not charged for it, or on D, where patients who last
--   came for it fell off
-- key: item, location, service_date
-- description: What a visit should have cost. The price list decides; a price for the location goes before a
--   general one, then the one valid from the latest day. Without one it is the commonest total of that item and
--   location over the 90 days before (ties: the one charged latest, then the higher), and an estimate.
with occasions as (
    select distinct
        appointment.item,
        appointment.location,
        appointment.service_date
    from intermediate.unbilled_appointments as appointment
    union
    select
        subject.item,
        subject.location,
        clock.as_of as service_date
    from intermediate.falloff_subjects as subject
    cross join staging.clock as clock
),

listed as (
    select
        occasions.item,
        occasions.location,
        occasions.service_date,
        price.gross_cents,
        row_number() over (
            partition by occasions.item, occasions.location, occasions.service_date
            order by
                price.location is not null desc, price.valid_from desc nulls last,
                price.valid_to nulls last, price.gross_cents desc
        ) as place
    from occasions
    inner join settings.prices as price
        on price.item = occasions.item
        and (price.location is null or price.location = occasions.location)
        and (price.valid_from is null or price.valid_from <= occasions.service_date)
        and (price.valid_to is null or price.valid_to >= occasions.service_date)
),

unlisted as (
    select
        occasions.item,
        occasions.location,
        occasions.service_date
    from occasions
    where not exists (
        select 1
        from listed
        where listed.item = occasions.item
            and listed.location = occasions.location
            and listed.service_date = occasions.service_date
    )
),

charges as (
    -- A visit's total is what all its payers were charged for it. A pass's line is not a price.
    select
        line.item,
        line.location,
        line.service_date,
        line.invoice_base,
        cast(sum(line.total_cents) as bigint) as total_cents
    from intermediate.standing_lines as line
    where not line.is_pass
        and line.item in (select unlisted.item from unlisted)
    group by line.item, line.location, line.service_date, line.invoice_base
),

daily_totals as (
    select
        charges.item,
        charges.location,
        charges.service_date,
        charges.total_cents,
        count(*) as times
    from charges
    group by charges.item, charges.location, charges.service_date, charges.total_cents
),

recent_totals as (
    select
        unlisted.item,
        unlisted.location,
        unlisted.service_date,
        daily_totals.total_cents,
        sum(daily_totals.times) as times,
        max(daily_totals.service_date) as last_on
    from unlisted
    inner join daily_totals
        on daily_totals.item = unlisted.item
        and daily_totals.location = unlisted.location
        and daily_totals.service_date between unlisted.service_date - 90 and unlisted.service_date - 1
    group by unlisted.item, unlisted.location, unlisted.service_date, daily_totals.total_cents
),

commonest_totals as (
    select
        recent_totals.item,
        recent_totals.location,
        recent_totals.service_date,
        recent_totals.total_cents,
        row_number() over (
            partition by recent_totals.item, recent_totals.location, recent_totals.service_date
            order by recent_totals.times desc, recent_totals.last_on desc, recent_totals.total_cents desc
        ) as place
    from recent_totals
)

select
    listed.item,
    listed.location,
    listed.service_date,
    listed.gross_cents as amount_cents,
    'price_list' as basis
from listed
where listed.place = 1
union all
select
    unlisted.item,
    unlisted.location,
    unlisted.service_date,
    coalesce(commonest_totals.total_cents, 0) as amount_cents,
    case when commonest_totals.total_cents is null then 'none' else 'history' end as basis
from unlisted
left join commonest_totals
    on commonest_totals.item = unlisted.item
    and commonest_totals.location = unlisted.location
    and commonest_totals.service_date = unlisted.service_date
    and commonest_totals.place = 1
