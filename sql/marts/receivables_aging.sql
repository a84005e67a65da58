-- grain: one age bucket of one side and payer, by one basis date
-- key: basis, side, payer, is_waiting, currency, bucket
-- description: Open balances at D by age since the service day or the invoice date, all buckets printed. Rows that
--   wait for another insurer's answer repeat the balance of that insurer, so sums over what is owed leave them out.
with balances as (
    select
        basis.name as basis,
        invoice.side,
        invoice.payer,
        waiting.invoice_number is not null as is_waiting,
        clock.as_of - basis.day as age_days,
        invoice.open_cents,
        invoice.currency
    from intermediate.open_invoices as invoice
    cross join staging.clock as clock
    left join intermediate.waiting_on_primary as waiting using (invoice_number)
    cross join lateral (
        values ('service', invoice.service_date), ('invoice', invoice.invoice_date)
    ) as basis (name, day)
),

buckets as (
    select
        bucket.place,
        bucket.bucket,
        bucket.from_days,
        bucket.to_days
    from (
        values
        (1, 'not_due', -2147483648, -1),
        (2, '0-30', 0, 30),
        (3, '31-60', 31, 60),
        (4, '61-90', 61, 90),
        (5, '91-120', 91, 120),
        (6, 'over_120', 121, 2147483647)
    ) as bucket (place, bucket, from_days, to_days)
),

payers as (
    select distinct
        balances.basis,
        balances.side,
        balances.payer,
        balances.is_waiting,
        balances.currency
    from balances
)

select
    payers.basis,
    payers.side,
    payers.payer,
    payers.is_waiting,
    buckets.bucket,
    count(balances.open_cents) as invoices,
    cast(coalesce(sum(balances.open_cents), 0) as bigint) as amount_cents,
    payers.currency,
    min(clock.as_of) as as_of
from payers
cross join buckets
cross join staging.clock as clock
left join balances
    on balances.basis = payers.basis
    and balances.side = payers.side
    and balances.payer = payers.payer
    and balances.is_waiting = payers.is_waiting
    and balances.currency = payers.currency
    and balances.age_days between buckets.from_days and buckets.to_days
group by
    payers.basis, payers.side, payers.payer, payers.is_waiting, payers.currency, buckets.bucket, buckets.place
order by payers.basis, payers.side, payers.payer, payers.is_waiting, payers.currency, buckets.place
