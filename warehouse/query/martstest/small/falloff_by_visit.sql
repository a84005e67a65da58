select
    discipline,
    visit_number::bigint as visit_number,
    visits::bigint as visits,
    stopped::bigint as stopped,
    stopped / visits as stopping_share,
    42::bigint as falloff_days,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', 1, 10, 3), ('all', 2, 7, 1), ('all', 3, 6, 3),
    ('Massage', 1, 4, 2), ('Massage', 2, 2, 0),
    ('Physiotherapy', 1, 6, 1), ('Physiotherapy', 2, 5, 1), ('Physiotherapy', 3, 6, 3)
) as stop (discipline, visit_number, visits, stopped)
