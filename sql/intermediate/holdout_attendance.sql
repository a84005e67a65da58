-- grain: one day, 90 days before D or earlier, on which a patient had a visit in a discipline
-- key: series, entity, visit_on
-- description: Visit days without those of the last 90 days, as the macros take them.
select
    day.series,
    day.entity,
    day.visit_on,
    day.is_first_visit,
    day.gap_days,
    day.episode_number
from intermediate.attendance as day
cross join staging.clock as clock
where day.visit_on <= clock.as_of - 90
