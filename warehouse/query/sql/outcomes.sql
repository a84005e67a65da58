-- grain: one outcome and grid day
-- meaning: the Aalen-Johansen estimate read off at every grid day: what holds from the last time at or before it. Neither is
--   what is left of everyone. The curves end with the last observation.
with curves as (
    select
        outcome.outcome,
        outcome.time,
        outcome.incidence
    from falloff_outcomes as outcome
    where outcome.discipline = $discipline
),

grid as (
    select unnest(range(0, least(span.last_day, $days) + 1, $every_days)) as day
    from (select max(curves.time) as last_day from curves) as span
),

ends (place, outcome, title) as (
    values
    (1, 'finished', 'Finished'),
    (2, 'fallen_off', 'Fallen off')
),

shares as (
    select
        grid.day,
        ends.place,
        ends.outcome,
        ends.title
    from grid
    cross join ends
),

read_off as (
    select
        shares.day,
        shares.place,
        shares.title,
        coalesce(curves.incidence, 0) as share
    from shares
    asof left join curves on curves.outcome = shares.outcome and shares.day >= curves.time
)

select
    read_off.day,
    read_off.place,
    read_off.title as series,
    read_off.share
from read_off
union all
select
    read_off.day,
    3 as place,
    'Neither yet' as series,
    1 - sum(read_off.share) as share
from read_off
group by read_off.day
