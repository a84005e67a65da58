-- 195.00 is open, 15.00 is owed back; 90 days charged 900.00, 10.00 a day.
select
    side,
    open_invoices::bigint as open_invoices,
    open_cents::bigint as open_cents,
    on_account_cents::bigint as on_account_cents,
    0::bigint as overpaid_cents,
    (open_cents - on_account_cents)::bigint as net_cents,
    charged_cents::bigint as charged_cents,
    90::bigint as charge_days,
    (open_cents - on_account_cents) / (charged_cents / 90) as days_in_receivables,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('insurer', 2, 15000, 0, 45000), ('patient', 2, 4500, 1500, 45000), ('all', 4, 19500, 1500, 90000)
) as summary (side, open_invoices, open_cents, on_account_cents, charged_cents)
