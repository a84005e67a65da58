-- grain: one episode: a patient's visits in one discipline with no two visit days more than 180 days apart
-- key: episode_id
-- description: Episodes with their first and last day, how they began (new, returning, unknown: in no curve), and
--   until when they are observed: D, or the day the next episode began.
with spans as (
    select
        day.patient,
        day.discipline,
        day.episode_number,
        min(day.visit_on) as first_on,
        max(day.visit_on) as last_on,
        count(*) as visit_days,
        median(day.gap_days) as median_gap_days,
        bool_or(day.is_first_visit and day.gap_days is null) as is_first_visit
    from intermediate.visit_days as day
    group by day.patient, day.discipline, day.episode_number
),

followed as (
    select
        spans.patient,
        spans.discipline,
        spans.episode_number,
        spans.first_on,
        spans.last_on,
        spans.visit_days,
        spans.median_gap_days,
        spans.is_first_visit,
        lead(spans.first_on) over (
            partition by spans.patient, spans.discipline
            order by spans.episode_number
        ) as next_first_on
    from spans
)

select
    concat_ws('/', followed.patient, followed.discipline, followed.first_on) as episode_id,
    followed.patient,
    followed.discipline,
    followed.episode_number,
    followed.first_on,
    followed.last_on,
    followed.visit_days,
    followed.median_gap_days,
    case
        when followed.is_first_visit then 'new'
        when followed.episode_number > 1 then 'returning'
        when followed.first_on - clock.history_from >= 180 then 'new'
        else 'unknown'
    end as beginning,
    followed.next_first_on is null as is_current,
    coalesce(followed.next_first_on, clock.as_of) as observed_until,
    coalesce(discipline.falloff_days, 42) as falloff_days
from followed
cross join staging.clock as clock
left join settings.disciplines as discipline on discipline.name = followed.discipline
