-- By invoice date 150.00 of insurers' and 45.00 of patients' money is open; another 80.00 waits for a first insurer.
select
    basis,
    side,
    payer,
    is_waiting,
    bucket,
    invoices::bigint as invoices,
    amount_cents::bigint as amount_cents,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('invoice', 'insurer', 'Sun Life', false, '0-30', 1, 3000),
    ('invoice', 'insurer', 'Sun Life', false, '61-90', 1, 12000),
    ('invoice', 'insurer', 'Green Shield', true, '31-60', 1, 8000),
    ('invoice', 'patient', 'person', false, '61-90', 2, 4500),
    ('service', 'patient', 'person', false, '91-120', 2, 4500)
) as aging (basis, side, payer, is_waiting, bucket, invoices, amount_cents)
