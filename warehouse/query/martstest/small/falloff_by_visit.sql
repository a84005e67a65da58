select
    discipline,
    case value when 'all' then 'all' when 'Main' then 'location' else 'staff_member' end as dimension,
    value,
    visit_number::bigint as visit_number,
    visits::bigint as visits,
    stopped::bigint as stopped,
    stopped / visits as stopping_share,
    42::bigint as falloff_days,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', 'all', 1, 10, 3), ('all', 'all', 2, 7, 1), ('all', 'all', 3, 6, 3),
    ('Massage', 'all', 1, 4, 2), ('Massage', 'all', 2, 2, 0),
    ('Physiotherapy', 'all', 1, 6, 1), ('Physiotherapy', 'all', 2, 5, 1), ('Physiotherapy', 'all', 3, 6, 3),
    ('all', 'Robin Mercer', 1, 5, 1), ('all', 'Main', 1, 9, 9), ('Physiotherapy', 'Main', 1, 9, 9)
) as stop (discipline, value, visit_number, visits, stopped)
