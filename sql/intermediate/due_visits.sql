-- grain: one visit day of an episode at least falloff_days before D
-- key: entity, visit_number
-- description: Visits that are old enough to tell whether a lapse followed: a gap of more than falloff_days without
--   visit and booking that began at the visit, or after it and before the next.
with nth_visits as (
    select
        gap.entity,
        gap.visit_number,
        min(gap.visit_on) as visit_on,
        min(observation.falloff_days) as falloff_days,
        bool_or(gap.gap_days > observation.falloff_days) as is_followed_by_lapse
    from intermediate.episode_gaps as gap
    inner join intermediate.observations as observation using (entity)
    group by gap.entity, gap.visit_number
)

select
    nth_visits.entity,
    nth_visits.visit_number,
    nth_visits.visit_on,
    nth_visits.is_followed_by_lapse
from nth_visits
cross join staging.clock as clock
where nth_visits.visit_on <= clock.as_of - nth_visits.falloff_days
