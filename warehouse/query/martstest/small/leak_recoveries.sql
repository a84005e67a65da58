-- In August 50.00 came in for a leak, 40.00 of them after somebody had it as a task; in September 30.00 for one that nobody
-- had, and on the last day 20.00 after a task.
select
    category || ':' || invoice_number as leak_id,
    category,
    date '2026-07-20' as first_seen_on,
    recovered_cents::bigint as leaked_cents,
    recovered_cents::bigint as recovered_cents,
    by_us_cents::bigint as recovered_by_us_cents,
    'recovered' as state,
    last_money_on::date as first_money_on,
    last_money_on::date as last_money_on,
    case when by_us_cents > 0 then date '2026-07-25' end as task_on,
    'p1_aaa' as patient,
    'Sun Life' as payer,
    null::bigint as appointment_id,
    invoice_number,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('claim_rejected', '1501-C01', 5000, 4000, '2026-08-12'),
    ('copay_missed', '1502-P01', 3000, 0, '2026-09-02'),
    ('claim_rejected', '1503-C01', 2000, 2000, '2026-09-30')
) as recovery (category, invoice_number, recovered_cents, by_us_cents, last_money_on)
