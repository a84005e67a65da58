-- July: 600.00 of insurers' 700.00 (100.00 of it never to be had), 200.00 of patients' 300.00.
select
    month_from::date as month_from,
    payer_kind,
    10::bigint as invoices,
    expected_cents::bigint as expected_cents,
    collected_cents::bigint as collected_cents,
    contractual_cents::bigint as adjusted_cents,
    contractual_cents::bigint as contractual_cents,
    0::bigint as written_off_cents,
    (expected_cents - collected_cents - contractual_cents)::bigint as open_cents,
    collected_cents / expected_cents as gross_rate,
    (collected_cents + contractual_cents) / expected_cents as settled_rate,
    collected_cents / (expected_cents - contractual_cents) as net_rate,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('2026-07-01', 'insurer', 70000, 60000, 10000), ('2026-07-01', 'person', 30000, 20000, 0),
    ('2026-07-01', 'all', 100000, 80000, 10000), ('2026-08-01', 'person', 40000, 30000, 0)
) as month (month_from, payer_kind, expected_cents, collected_cents, contractual_cents)
