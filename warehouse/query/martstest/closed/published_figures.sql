-- July 2026 is closed. Published were 150.00 of a co-pay and 40.00 of a fee; the fee has gone since.
select
    '2026-07' as month,
    figure,
    category,
    detail,
    'Physiotherapy' as discipline,
    'Harbour Street' as location,
    'CAD' as currency,
    unit,
    published::bigint as published,
    restated::bigint as restated,
    (restated - published)::bigint as difference,
    date '2026-09-15' as as_of,
    date '2026-09-16' as closed_on
from (
    values
    ('leaked', 'copay_missed', 'firm', 'cents', 15000, 15000),
    ('leaks', 'copay_missed', 'firm', 'count', 2, 2),
    ('leaked', 'no_show_fee', 'likely', 'cents', 4000, 0),
    ('leaks', 'no_show_fee', 'likely', 'count', 1, 0),
    ('charged', 'patient', '', 'cents', 99900, 99900)
) as figure (figure, category, detail, unit, published, restated)
