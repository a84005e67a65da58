-- grain: one day up to which an episode's patient was seen or expected, once it can be told whether a lapse followed
-- key: entity, reached_on
-- description: What the watch over falloff counts: each visit day, and each other day on which a booking ceased to
--   stand, whether a lapse began there, and due_on, the day that such a lapse is timed at. An episode is watched up to
--   its first lapse. When a booking was made changes nothing of which days these are.
with reaches as (
    select
        engagement.entity,
        engagement.ends_on as reached_on,
        bool_or(engagement.is_visit) as is_visit
    from intermediate.engagements as engagement
    group by engagement.entity, engagement.ends_on
),

counted as (
    select
        reaches.entity,
        reaches.reached_on,
        reaches.is_visit,
        count(*) filter (where reaches.is_visit) over (
            partition by reaches.entity
            order by reaches.reached_on
        ) as visit_number
    from reaches
),

first_lapses as (
    select
        gap.entity,
        min(gap.reached_on) as reached_on
    from intermediate.episode_gaps as gap
    inner join intermediate.observations as observation using (entity)
    where gap.gap_days > observation.falloff_days
    group by gap.entity
)

select
    counted.entity,
    observation.discipline,
    counted.reached_on,
    counted.reached_on + observation.falloff_days as due_on,
    counted.visit_number,
    counted.is_visit,
    coalesce(counted.reached_on = lapse.reached_on, false) as is_lapse
from counted
inner join intermediate.observations as observation using (entity)
cross join staging.clock as clock
left join first_lapses as lapse on lapse.entity = counted.entity
where counted.reached_on between observation.first_on and observation.observed_until
    and counted.reached_on + observation.falloff_days < clock.as_of
    and (lapse.reached_on is null or counted.reached_on <= lapse.reached_on)
