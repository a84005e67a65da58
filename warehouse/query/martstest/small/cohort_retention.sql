-- Three cohorts; the month of the newest is not over.
select
    discipline,
    cohort_month,
    month_index::bigint as month_index,
    cohort_size::bigint as cohort_size,
    active::bigint as active,
    active / cohort_size as active_share,
    is_complete,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', '2026-07', 0, 10, 10, true), ('all', '2026-07', 1, 10, 6, true), ('all', '2026-07', 2, 10, 4, true),
    ('all', '2026-08', 0, 8, 8, true), ('all', '2026-08', 1, 8, 2, true),
    ('all', '2026-09', 0, 5, 5, false),
    ('Massage', '2026-07', 0, 4, 4, true), ('Massage', '2026-07', 1, 4, 1, true)
) as cell (discipline, cohort_month, month_index, cohort_size, active, is_complete)
