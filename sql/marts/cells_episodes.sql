-- grain: one cell of one table that is released of episodes, before anything is suppressed
-- key: table_name, value_a, value_b
-- description: What disclosure control reads of falloff: exact counts of few patients are among them, so nobody is
--   shown this mart but who may see rows. Episodes whose beginning is known and that began in a month that is over at
--   D. A course is a discipline and whether the episode has lapsed (lapsed) or not (watched). Tables: all; course,
--   cohort_month, staff_member, location, payer_kind, beginning; course_days, by the first day of the span in which it
--   lapsed or was last watched; course_visits, by the visit after which. Retention is of a cohort month and month
--   since: seen is how many episodes had a visit then.
with facts as (
    select
        episode.patient,
        visit.entity,
        visit.first_on,
        visit.discipline || case when lapse.event then ', lapsed' else ', watched' end as course,
        visit.cohort_month,
        coalesce(visit.staff_member, 'unknown') as staff_member,
        coalesce(visit.location, 'unknown') as location,
        visit.payer_kind,
        visit.beginning,
        lpad(
            cast(
                list_last(
                    list_filter([0, 42, 56, 70, 84, 112, 140, 182, 273, 365, 548, 730], lambda day: day <= lapse.time)
                ) as varchar
            ), 3, '0'
        ) as days,
        case
            when stop.time is null then 'none'
            when stop.time <= 6 then lpad(cast(stop.time as varchar), 2, '0')
            when stop.time <= 9 then '07'
            when stop.time <= 14 then '10'
            else '15'
        end as visits_made,
        measure.is_due,
        measure.has_second_visit,
        measure.visits,
        measure.rebooked,
        measure.reactivations
    from intermediate.first_visits as visit
    cross join staging.clock as clock
    inner join intermediate.episodes as episode on episode.episode_id = visit.entity
    inner join intermediate.episode_measures as measure using (entity)
    inner join intermediate.lapses as lapse using (entity)
    left join intermediate.stops as stop using (entity)
    where last_day(visit.first_on) <= clock.as_of
),

cells as (
    select
        case
            when grouping(facts.days) = 0 then 'course_days'
            when grouping(facts.visits_made) = 0 then 'course_visits'
            when grouping(facts.course) = 0 then 'course'
            when grouping(facts.cohort_month) = 0 then 'cohort_month'
            when grouping(facts.staff_member) = 0 then 'staff_member'
            when grouping(facts.location) = 0 then 'location'
            when grouping(facts.payer_kind) = 0 then 'payer_kind'
            when grouping(facts.beginning) = 0 then 'beginning'
            else 'all'
        end as table_name,
        coalesce(
            facts.course, facts.cohort_month, facts.staff_member, facts.location, facts.payer_kind, facts.beginning, ''
        ) as value_a,
        coalesce(facts.days, facts.visits_made, '') as value_b,
        count(distinct facts.patient) as patients,
        count(*) as episodes,
        count(*) filter (where facts.is_due) as first_visits,
        count(*) filter (where facts.is_due and facts.has_second_visit) as second_visits,
        cast(sum(facts.visits) as bigint) as visits,
        cast(sum(facts.rebooked) as bigint) as rebooked,
        cast(sum(facts.reactivations) as bigint) as reactivations,
        0 as seen,
        0 as seen_patients
    from facts
    group by grouping sets (
        (), (facts.course), (facts.cohort_month), (facts.staff_member), (facts.location), (facts.payer_kind),
        (facts.beginning), (facts.course, facts.days), (facts.course, facts.visits_made)
    )
    having count(*) > 0
),

cohorts as (
    select
        facts.cohort_month,
        min(date_trunc('month', facts.first_on)) as month_from,
        count(distinct facts.patient) as patients,
        count(*) as episodes
    from facts
    group by facts.cohort_month
),

grids as (
    select
        cohorts.cohort_month,
        cohorts.patients,
        cohorts.episodes,
        unnest(range(datediff('month', cohorts.month_from, cast(clock.as_of + 1 as date)))) as month_index
    from cohorts
    cross join staging.clock as clock
),

returns as (
    select
        facts.cohort_month,
        datediff('month', facts.first_on, visit.visit_on) as month_index,
        count(distinct facts.entity) as seen,
        count(distinct facts.patient) as seen_patients
    from facts
    inner join intermediate.cohort_visits as visit
        on visit.entity = facts.entity
        and visit.series = 'all'
    group by facts.cohort_month, month_index
),

all_cells as (
    select
        cells.table_name,
        cells.value_a,
        cells.value_b,
        cells.patients,
        cells.episodes,
        cells.first_visits,
        cells.second_visits,
        cells.visits,
        cells.rebooked,
        cells.reactivations,
        cells.seen,
        cells.seen_patients
    from cells
    union all
    select
        'retention' as table_name,
        grids.cohort_month,
        lpad(cast(grids.month_index as varchar), 3, '0'),
        grids.patients,
        grids.episodes,
        0,
        0,
        0,
        0,
        0,
        coalesce(returns.seen, 0),
        coalesce(returns.seen_patients, 0)
    from grids
    left join returns using (cohort_month, month_index)
)

select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.episodes,
    cell.first_visits,
    cell.second_visits,
    cell.visits,
    cell.rebooked,
    cell.reactivations,
    cast(cell.seen as bigint) as seen,
    cast(cell.seen_patients as bigint) as seen_patients,
    clock.as_of
from all_cells as cell
cross join staging.clock as clock
order by cell.table_name, cell.value_a, cell.value_b
