-- July is old enough: of 4 no-shows 1 came back in time, of 10 cancellations 8. August is not.
select
    month,
    kind,
    discipline,
    missed::bigint as missed,
    due::bigint as due_14,
    recovered::bigint as recovered_14,
    recovered / nullif(due, 0) as recovered_share_14,
    due::bigint as due_30,
    recovered::bigint as recovered_30,
    recovered / nullif(due, 0) as recovered_share_30,
    is_complete,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', 'all', 'all', 20, 14, 9, true),
    ('2026-07', 'all', 'all', 14, 14, 9, true), ('2026-07', 'no_show', 'all', 4, 4, 1, true),
    ('2026-07', 'cancellation', 'all', 10, 10, 8, true), ('2026-08', 'no_show', 'all', 6, 0, 0, false),
    ('2026-07', 'no_show', 'Massage', 2, 2, 0, true)
) as missed (month, kind, discipline, missed, due, recovered, is_complete)
