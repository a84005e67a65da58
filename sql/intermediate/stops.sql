-- grain: one episode with a visit at least falloff_days before D
-- key: entity
-- description: After which visit an episode first lapsed (event), or how many of its visits are old enough to tell
--   (censored); due_visits counts those in any case.
select
    visit.entity,
    coalesce(
        min(visit.visit_number) filter (where visit.is_followed_by_lapse), max(visit.visit_number)
    ) as time,
    bool_or(visit.is_followed_by_lapse) as event,
    count(*) as due_visits
from intermediate.due_visits as visit
group by visit.entity
