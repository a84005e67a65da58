-- aging(balances, as_of): what is owed, by its age at as_of (a date).
--
-- balances names a table (series, invoice, invoiced_on date, settled_on date, aged_from date, amount): an amount is open if
-- it was invoiced by as_of and not settled by then, and as old as the days since aged_from. Rows of one invoice add up.
--
-- Result, every bucket of every series: series, place (from 1), bucket, invoices, amount.
create or replace macro aging(balances, as_of) as table
with buckets as (
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

open_balances as (
    select
        balance.series,
        balance.invoice,
        as_of - balance.aged_from as age_days,
        balance.amount
    from query_table(balances) as balance
    where balance.invoiced_on <= as_of
        and (balance.settled_on is null or balance.settled_on > as_of)
),

all_series as (
    select distinct balance.series from query_table(balances) as balance
)

select
    all_series.series,
    buckets.place,
    buckets.bucket,
    count(distinct open_balances.invoice) as invoices,
    coalesce(sum(open_balances.amount), 0) as amount
from all_series
cross join buckets
left join open_balances
    on open_balances.series = all_series.series
    and open_balances.age_days between buckets.from_days and buckets.to_days
group by all_series.series, buckets.place, buckets.bucket;
