-- Sun Life: 5 claims in July and August, 4 answered, 1 rejected. Green Shield has answered nothing.
select
    payer,
    sent_month,
    sent::bigint as claims_sent,
    answered::bigint as claims_answered,
    rejected::bigint as claims_rejected,
    rejected / nullif(answered, 0) as rejection_rate,
    (answered - rejected)::bigint as claims_paid,
    0::bigint as paid_days,
    days::double as mean_days_to_pay,
    days::double as median_days_to_pay,
    (days + 8)::bigint as p90_days_to_pay,
    0::bigint as short_payments,
    0::bigint as short_cents,
    open_invoices::bigint as open_invoices,
    open_cents::bigint as open_cents,
    case when open_invoices > 0 then date '2026-07-02' end as oldest_open_on,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('Sun Life', 'all', 5, 4, 1, 12, 2, 15000),
    ('Sun Life', '2026-07', 3, 2, 1, 10, 1, 12000),
    ('Sun Life', '2026-08', 2, 2, 0, 14, 1, 3000),
    ('Green Shield', 'all', 2, 0, 0, null, 3, 16000),
    ('Green Shield', '2026-08', 2, 0, 0, null, 2, 8000),
    ('Green Shield', 'none', 0, 0, 0, null, 1, 8000)
) as payer (payer, sent_month, sent, answered, rejected, days, open_invoices, open_cents)
