-- grain: one row where a list of unscheduled patients was brought home, none else
-- key: seen_on
-- description: The newest list of who was seen and has no booking ahead. Discharged patients are left out of it, so
--   it tells who has finished, with its own day as the only date. It says nothing of those last seen before the
--   earliest visit in it: how far back it looks is not known.
with lists as (
    select
        max(unscheduled.observed_on) as seen_on,
        min(unscheduled.last_visit_on) as reaches_back_to
    from lake.unscheduled_patients as unscheduled
)

select
    lists.seen_on,
    timezone(clock.time_zone, cast(lists.seen_on + 1 as timestamp)) as over_at,
    lists.reaches_back_to
from lists
cross join staging.clock as clock
where lists.seen_on is not null
    and lists.reaches_back_to is not null
