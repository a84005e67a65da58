-- Robin's patients stay longer than Sam's; September's beginners are too young to tell.
select
    discipline,
    dimension,
    value,
    episodes::bigint as episodes,
    lapsed::bigint as lapsed,
    median_days::bigint as median_days,
    (median_days - 10)::bigint as median_days_low,
    null::bigint as median_days_high,
    median_visits::bigint as median_visits,
    (median_visits - 1)::bigint as median_visits_low,
    null::bigint as median_visits_high,
    first_visits::bigint as first_visits,
    second_visits::bigint as second_visits,
    second_visits / nullif(first_visits, 0) as conversion_share,
    visits::bigint as visits,
    rebooked::bigint as rebooked,
    rebooked / visits as rebooked_share,
    reactivations::bigint as reactivations,
    42::bigint as falloff_days,
    is_complete,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', 'all', 'all', 12, 6, 80, 5, 10, 7, 50, 30, 2, true),
    ('Physiotherapy', 'all', 'all', 7, 2, null, null, 6, 5, 35, 28, 1, true),
    ('Massage', 'all', 'all', 5, 4, 50, 3, 4, 2, 15, 2, 1, true),
    ('all', 'staff_member', 'Robin Mercer', 7, 2, null, null, 6, 5, 35, 28, 1, true),
    ('all', 'staff_member', 'Sam Okafor', 5, 4, 50, 3, 4, 2, 15, 2, 1, true),
    ('Massage', 'staff_member', 'Sam Okafor', 5, 4, 50, 3, 4, 2, 15, 2, 1, true),
    ('all', 'beginning', 'new', 9, 5, 60, 4, 8, 5, 40, 22, 1, true),
    ('all', 'beginning', 'returning', 3, 1, null, null, 2, 2, 10, 8, 1, true),
    ('all', 'cohort_month', '2026-07', 4, 2, 44, 3, 4, 2, 12, 6, 0, true),
    ('all', 'cohort_month', '2026-09', 2, 0, null, null, 0, 0, 3, 3, 0, false)
) as summary (
    discipline, dimension, value, episodes, lapsed, median_days, median_visits, first_visits, second_visits, visits,
    rebooked, reactivations, is_complete
)
