select
    week_from::date as week_from,
    state,
    discipline,
    'Harbour Street' as location,
    case when discipline = 'Massage' then 'Sam Okafor' else 'Robin Mercer' end as staff_member,
    appointments::bigint as appointments,
    appointments::bigint as patients,
    is_complete,
    date '2026-09-30' as as_of
from (
    values
    ('2026-09-14', 'arrived', 'Physiotherapy', 12, true),
    ('2026-09-14', 'arrived', 'Massage', 5, true),
    ('2026-09-14', 'no_show', 'Massage', 1, true),
    ('2026-09-21', 'arrived', 'Physiotherapy', 11, true),
    ('2026-09-28', 'arrived', 'Physiotherapy', 4, false),
    ('2026-09-28', 'booked', 'Physiotherapy', 9, false)
) as week (week_from, state, discipline, appointments, is_complete)
