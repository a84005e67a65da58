-- grain: the hours of one staff member over one pulled period, a day as a rule
-- key: staff_member, period_from, period_to
-- description: Hours worked, free and booked up to D, so that they can be added up: no day counts in two rows. A
--   report of a month is one period: days that were pulled by themselves within it are left out, as is a period within
--   a longer one. Once every day of a month was pulled by itself, the month is no longer in the lake. Periods that end
--   after D are not over and are left out.
with hours as (
    select * from lake.shifts
    union all by name
    select * from lake.shift_periods
),

ended as (
    select hours.*
    from hours
    cross join staging.clock as clock
    where hours.period_to <= clock.as_of
),

periods as (
    select distinct
        ended.period_from,
        ended.period_to
    from ended
)

select
    ended.staff_member,
    ended.period_from,
    ended.period_to,
    ended.shift_minutes,
    ended.break_minutes,
    ended.booked_minutes,
    ended.booked_count
from ended
where not exists (
    select 1
    from periods as wider
    where wider.period_from <= ended.period_from
        and wider.period_to >= ended.period_to
        and wider.period_to - wider.period_from > ended.period_to - ended.period_from
)
