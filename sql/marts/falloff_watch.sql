-- grain: one week, discipline, visits so far and what was last
-- key: week_from, discipline, visits, last_was
-- description: What the watch over falloff counts. Trials are days up to which a patient was seen or expected, counted
--   in the week of the day falloff_days later, when a lapse that began there is timed; lapses are those that did
--   lapse, an episode's first. Episodes whose beginning is unknown are left out.
with weeks as (
    select
        reach.due_on
        - cast((7 + isodow(reach.due_on) - 1 - clock.week_starts_after) % 7 as integer) as week_from,
        reach.discipline,
        case
            when reach.visit_number <= 2 then cast(reach.visit_number as varchar)
            when reach.visit_number <= 5 then '3-5'
            else 'over_5'
        end as visits,
        case when reach.is_visit then 'visit' else 'booking' end as last_was,
        reach.is_lapse
    from intermediate.watched_reaches as reach
    cross join staging.clock as clock
)

select
    weeks.week_from,
    weeks.discipline,
    weeks.visits,
    weeks.last_was,
    count(*) as trials,
    count(*) filter (where weeks.is_lapse) as lapses,
    weeks.week_from + 6 < min(clock.as_of) as is_complete,
    min(clock.history_from) as history_from,
    min(clock.as_of) as as_of
from weeks
cross join staging.clock as clock
group by weeks.week_from, weeks.discipline, weeks.visits, weeks.last_was
order by weeks.week_from, weeks.discipline, weeks.visits, weeks.last_was
