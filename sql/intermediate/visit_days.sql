-- grain: one day on which a patient had a visit in a discipline
-- key: patient, discipline, visit_on
-- description: Visit days (several visits a day count as one) with the episode they belong to: a new one begins
--   more than 180 days after the visit day before. gap_days is empty on an episode's first day.
with days as (
    select
        visit.patient,
        visit.discipline,
        visit.service_date as visit_on,
        bool_or(visit.is_first_visit) as is_first_visit
    from intermediate.visits as visit
    group by visit.patient, visit.discipline, visit.service_date
),

gaps as (
    select
        days.patient,
        days.discipline,
        days.visit_on,
        days.is_first_visit,
        days.visit_on - lag(days.visit_on) over (
            partition by days.patient, days.discipline
            order by days.visit_on
        ) as gap_days
    from days
)

select
    gaps.patient,
    gaps.discipline,
    gaps.visit_on,
    gaps.is_first_visit,
    case when gaps.gap_days <= 180 then gaps.gap_days end as gap_days,
    count(*) filter (where gaps.gap_days is null or gaps.gap_days > 180) over (
        partition by gaps.patient, gaps.discipline
        order by gaps.visit_on
        rows unbounded preceding
    ) as episode_number
from gaps
