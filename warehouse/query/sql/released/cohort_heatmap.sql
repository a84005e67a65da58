-- grain: one cohort month and month since
with cells as (
    select
        cell.cohort_month,
        cast(cell.month_index as bigint) as month_index,
        cell.cohort_size,
        cell.seen,
        cell.active_share,
        cell.suppressed,
        dense_rank() over (order by cell.cohort_month desc) as newest
    from released.retention as cell
)

select
    cell.cohort_month || coalesce(' · ' || max(cell.cohort_size) over (partition by cell.cohort_month), '') as cohort,
    cell.cohort_month,
    cell.month_index,
    cell.cohort_size,
    cell.seen as active,
    cell.active_share,
    cell.suppressed as withheld
from cells as cell
where cell.month_index <= $months and cell.newest <= $cohorts
