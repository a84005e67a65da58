-- Of July two figures were restated: leaked 150.00 → 160.00 → 140.00, and one visit that came and went again.
select
    month,
    figure,
    category,
    detail,
    '' as discipline,
    '' as location,
    'CAD' as currency,
    unit,
    published::bigint as published,
    before::bigint as before,
    restated::bigint as restated,
    (restated - published)::bigint as difference,
    since_commit::bigint as since_commit,
    first_seen::date as first_seen,
    is_current
from (
    values
    ('2026-07', 'leaked', 'copay_missed', 'firm', 'cents', 15000, 15000, 16000, 7, '2026-09-20', false),
    ('2026-07', 'leaked', 'copay_missed', 'firm', 'cents', 15000, 16000, 14000, 9, '2026-09-22', true),
    ('2026-07', 'appointments', 'no_show', '', 'count', 3, 3, 4, 7, '2026-09-20', false),
    ('2026-07', 'appointments', 'no_show', '', 'count', 3, 4, 3, 9, '2026-09-22', true)
) as change (
    month, figure, category, detail, unit, published, before, restated, since_commit, first_seen, is_current
)
