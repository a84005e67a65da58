select
    month_from::date as month_from,
    kind,
    payer_kind,
    'CAD' as currency,
    invoices::bigint as invoices,
    amount_cents::bigint as amount_cents
from (
    values
    ('2026-07-01', 'contractual', 'insurer', 2, 10000),
    ('2026-08-01', 'write_off', 'person', 1, 4000), ('2026-08-01', 'write_off', 'insurer', 1, 2500)
) as adjustment (month_from, kind, payer_kind, invoices, amount_cents)
