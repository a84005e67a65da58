-- grain: one month since the first visit of one cohort month of one discipline ('all' for all of them)
-- key: discipline, cohort_month, month_index
-- description: Of the episodes that began in a month, how many had a visit in each calendar month since (0 is the
--   first). A cell is complete when its calendar month is over at D.
select
    cell.series as discipline,
    strftime(cell.cohort_month, '%Y-%m') as cohort_month,
    cell.month_index,
    cell.cohort_size,
    cell.active,
    cell.active / cell.cohort_size as active_share,
    last_day(cell.cohort_month + to_months(cast(cell.month_index as integer))) <= clock.as_of as is_complete,
    clock.history_from,
    clock.as_of
from retention('intermediate.cohort_visits', (select clock.as_of from staging.clock as clock)) as cell
cross join staging.clock as clock
order by discipline, cohort_month, cell.month_index
