-- cells: of cohorts in the months since
select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.episodes as cohort_size,
    cell.seen,
    cell.seen_patients
from cells_episodes as cell
where cell.table_name = 'retention'
