-- grain: one age bucket and side, or payer; what waits for another insurer's answer is owed once, and left out here
with balances as (
    select
        case
            when $split = 'payer' then coalesce(aging.payer, 'unknown')
            when aging.side = 'insurer' then 'Insurers'
            when aging.side = 'patient' then 'Patients'
            else aging.side
        end as series,
        aging.bucket,
        aging.invoices,
        aging.amount_cents
    from receivables_aging as aging
    where aging.basis = $basis and not aging.is_waiting
),

buckets (place, bucket, title) as (
    values
    (1, 'not_due', 'Not due'),
    (2, '0-30', '0–30'),
    (3, '31-60', '31–60'),
    (4, '61-90', '61–90'),
    (5, '91-120', '91–120'),
    (6, 'over_120', 'Over 120')
)

select
    buckets.place,
    buckets.title as bucket,
    balances.series,
    sum(balances.invoices) as invoices,
    sum(balances.amount_cents) as amount_cents
from balances
inner join buckets using (bucket)
group by all
