-- The totals agree until August, in which 5.00 came in.
select
    period_from::date as period_from,
    period_to::date as period_to,
    portal_cents::bigint as portal_cents,
    ours_cents::bigint as ours_cents,
    0::bigint as patient_cents,
    ours_cents::bigint as insurer_cents,
    (ours_cents - portal_cents)::bigint as difference_cents,
    change_cents::bigint as change_cents,
    0::bigint as arithmetic_cents,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('2026-07-01', '2026-07-31', 20000, 20000, 0), ('2026-08-01', '2026-08-31', 25000, 25500, 500)
) as control (period_from, period_to, portal_cents, ours_cents, change_cents)
