-- grain: one cohort month and month since; calendar months that are not over are left out, never shown as low
select
    cell.cohort_month || ' · ' || cell.cohort_size as cohort,
    cell.cohort_month,
    cell.month_index,
    cell.cohort_size,
    cell.active,
    cell.active_share
from cohort_retention as cell
where cell.discipline = $discipline
    and cell.is_complete
    and cell.month_index <= $months
    and cell.cohort_month in (
        select distinct newest.cohort_month
        from cohort_retention as newest
        where newest.discipline = $discipline and newest.is_complete
        order by newest.cohort_month desc
        limit $cohorts
    )
