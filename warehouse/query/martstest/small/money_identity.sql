-- What the leak ledger has of July and August is in leaked: 120.00 + 30.00, and 80.00 + 95.00. September's is 95.00 + 50.00,
-- and of it 5.00 cannot be explained.
select
    month_from::date as month_from,
    'CAD' as currency,
    expected_cents::bigint as expected_cents,
    collected_cents::bigint as collected_cents,
    adjusted_cents::bigint as adjusted_cents,
    leaked_cents::bigint as leaked_cents,
    not_yet_due_cents::bigint as not_yet_due_cents,
    (expected_cents - collected_cents - adjusted_cents - leaked_cents - not_yet_due_cents)::bigint as unreconciled_cents,
    0::bigint as overpaid_cents,
    'applied' as collected_basis,
    date '2026-09-30' as as_of
from (
    values
    ('2026-07-01', 100000, 80000, 5000, 15000, 0),
    ('2026-08-01', 90000, 60000, 0, 17500, 12500),
    ('2026-09-01', 110000, 40000, 1000, 14500, 54000)
) as money (month_from, expected_cents, collected_cents, adjusted_cents, leaked_cents, not_yet_due_cents)
