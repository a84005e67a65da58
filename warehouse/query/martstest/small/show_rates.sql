-- Of 40 expected 36 came. Who books on the day comes; who books three weeks ahead does in eight of ten cases.
select
    month,
    dimension,
    value,
    place::bigint as place,
    (expected + cancelled + 1)::bigint as appointments,
    arrived::bigint as arrived,
    (expected - arrived)::bigint as no_shows,
    cancelled::bigint as cancelled,
    1::bigint as unclosed,
    expected::bigint as expected,
    arrived / expected as show_share,
    (expected + cancelled)::bigint as decided,
    arrived / (expected + cancelled) as kept_share,
    expected::bigint as with_lead,
    5.0::double as median_lead_days,
    6.0::double as mean_lead_days,
    is_complete,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', 'all', 'all', 0, 40, 36, 8, true),
    ('all', 'lead_time', '0', 1, 10, 10, 0, true), ('all', 'lead_time', '1-3', 2, 20, 18, 4, true),
    ('all', 'lead_time', '15-30', 5, 10, 8, 4, true),
    ('all', 'weekday', '1', 1, 30, 27, 4, true), ('all', 'weekday', '5', 5, 10, 9, 4, true),
    ('all', 'hour', '8', 8, 40, 36, 8, true),
    ('all', 'staff_member', 'Robin Mercer', 0, 30, 28, 4, true),
    ('all', 'staff_member', 'Sam Okafor', 0, 10, 8, 4, true),
    ('2026-08', 'all', 'all', 0, 20, 19, 4, true), ('2026-09', 'all', 'all', 0, 20, 17, 4, false),
    ('2026-08', 'staff_member', 'Robin Mercer', 0, 15, 15, 2, true)
) as rate (month, dimension, value, place, expected, arrived, cancelled, is_complete)
