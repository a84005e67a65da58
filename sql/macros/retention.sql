-- retention(visit_days, as_of): of those first seen in a month, how many were seen again in each calendar month since.
--
-- visit_days names a table (series, entity, visit_on date), one row or more a visit day, none after as_of (a date).
--
-- Result, one row a series, cohort month and month index, zeros printed up to the month of as_of: series, cohort_month
-- (its first day), month_index (0 is the month of the first visit), cohort_size, active.
create or replace macro retention(visit_days, as_of) as table
with firsts as (
    select
        visit.series,
        visit.entity,
        cast(date_trunc('month', min(visit.visit_on)) as date) as cohort_month
    from query_table(visit_days) as visit
    group by all
),

cohorts as (
    select
        series,
        cohort_month,
        count(*) as cohort_size
    from firsts
    group by all
),

cells as (
    select
        cohorts.series,
        cohorts.cohort_month,
        cohorts.cohort_size,
        unnest(range(cast(datediff('month', cohorts.cohort_month, as_of) as bigint) + 1)) as month_index
    from cohorts
),

actives as (
    select
        firsts.series,
        firsts.cohort_month,
        datediff('month', firsts.cohort_month, visit.visit_on) as month_index,
        count(distinct firsts.entity) as active
    from query_table(visit_days) as visit
    inner join firsts on firsts.series = visit.series and firsts.entity = visit.entity
    group by all
)

select
    cells.series,
    cells.cohort_month,
    cells.month_index,
    cells.cohort_size,
    coalesce(actives.active, 0) as active
from cells
left join actives
    on actives.series = cells.series
    and actives.cohort_month = cells.cohort_month
    and actives.month_index = cells.month_index;
