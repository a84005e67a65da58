-- grain: one visit number of one discipline ('all' for all of them)
-- key: discipline, visit_number
-- description: Share of episodes that stop after visit n: of the n-th visit days at least falloff_days before D,
--   those followed by a lapse. Episodes whose beginning is unknown are left out.
with nth_visits as (
    select
        gap.entity,
        observation.discipline,
        observation.falloff_days,
        gap.visit_number,
        min(gap.visit_on) as visit_on,
        bool_or(gap.gap_days > observation.falloff_days) as is_followed_by_lapse
    from intermediate.episode_gaps as gap
    inner join intermediate.observations as observation using (entity)
    group by gap.entity, observation.discipline, observation.falloff_days, gap.visit_number
),

due_visits as (
    select
        nth_visits.discipline,
        nth_visits.falloff_days,
        nth_visits.visit_number,
        nth_visits.is_followed_by_lapse
    from nth_visits
    cross join staging.clock as clock
    where nth_visits.visit_on <= clock.as_of - nth_visits.falloff_days
),

counts as (
    select
        coalesce(due_visits.discipline, 'all') as discipline,
        due_visits.visit_number,
        count(*) as visits,
        count(*) filter (where due_visits.is_followed_by_lapse) as stopped,
        cast(max(due_visits.falloff_days) as bigint) as falloff_days
    from due_visits
    group by grouping sets ((due_visits.discipline, due_visits.visit_number), (due_visits.visit_number))
)

select
    counts.discipline,
    counts.visit_number,
    counts.visits,
    counts.stopped,
    counts.stopped / counts.visits as stopping_share,
    counts.falloff_days,
    clock.history_from,
    clock.as_of
from counts
cross join staging.clock as clock
order by counts.discipline, counts.visit_number
