-- 208 weeks of 4 states and 24 staff members, who each work in one discipline and at two locations: 39,936 rows, a million appointments.
select
    date '2022-10-03' + (7 * (i // 192))::integer as week_from,
    ['arrived', 'booked', 'cancelled', 'no_show'][1 + i // 48 % 4] as state,
    'Discipline ' || (i // 2 % 24 % 5) as discipline,
    'Location ' || ((i // 2 % 24 + i % 2) % 4) as location,
    'Staff ' || (i // 2 % 24) as staff_member,
    (15 + i % 21)::bigint as appointments,
    (12 + i % 21)::bigint as patients,
    i // 192 < 207 as is_complete,
    date '2026-09-30' as as_of
from range(39936) as series (i)
order by week_from, state, discipline, location, staff_member
