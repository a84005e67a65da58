-- 208 weeks of 4 states, 5 disciplines, 4 locations and 24 staff members: 399,360 rows, about a million appointments.
select
    date '2022-10-03' + (7 * (i % 208))::integer as week_from,
    ['arrived', 'booked', 'cancelled', 'no_show'][1 + i // 208 % 4] as state,
    'Discipline ' || (i // 832 % 5) as discipline,
    'Location ' || (i // 4160 % 4) as location,
    'Staff ' || (i // 16640) as staff_member,
    (1 + i % 5)::bigint as appointments,
    (1 + i % 5)::bigint as patients,
    i % 208 < 207 as is_complete,
    date '2026-09-30' as as_of
from range(399360) as series (i)
