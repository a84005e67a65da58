-- visit_episodes(visits): visit days, cut into episodes where two of an entity are more than 180 days apart.
--
-- visits names a table (series, entity, visit_on date, is_first_visit boolean), one row or more a visit day.
--
-- Result, one row a visit day: series, entity, visit_on, is_first_visit (of any visit that day), gap_days (since the visit
-- day before in the episode, empty on its first), episode_number (from 1).
create or replace macro visit_episodes(visits) as table
with days as (
    select
        visit.series,
        visit.entity,
        visit.visit_on,
        bool_or(visit.is_first_visit) as is_first_visit
    from query_table(visits) as visit
    group by visit.series, visit.entity, visit.visit_on
),

gaps as (
    select
        days.series,
        days.entity,
        days.visit_on,
        days.is_first_visit,
        days.visit_on - lag(days.visit_on) over (
            partition by days.series, days.entity
            order by days.visit_on
        ) as gap_days
    from days
)

select
    gaps.series,
    gaps.entity,
    gaps.visit_on,
    gaps.is_first_visit,
    case when gaps.gap_days <= 180 then gaps.gap_days end as gap_days,
    count(*) filter (where gaps.gap_days is null or gaps.gap_days > 180) over (
        partition by gaps.series, gaps.entity
        order by gaps.visit_on
        rows unbounded preceding
    ) as episode_number
from gaps;
