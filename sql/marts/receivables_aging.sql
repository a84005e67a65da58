-- grain: one age bucket of one side and payer, by one basis date
-- key: basis, side, payer, is_waiting, currency, bucket
-- description: Open balances at D by age since the service day, the invoice date or the day on which they are due
--   (due_days of clinic.yaml after the invoice date: no report prints one), all buckets printed. Rows that wait for
--   another insurer's answer repeat the balance of that insurer, so sums over what is owed leave them out.
select
    aged.series.basis as basis,
    aged.series.side as side,
    aged.series.payer as payer,
    aged.series.is_waiting as is_waiting,
    aged.bucket,
    aged.invoices,
    cast(aged.amount as bigint) as amount_cents,
    aged.series.currency as currency,
    clock.as_of
from aging('intermediate.receivables', (select clock.as_of from staging.clock as clock)) as aged
cross join staging.clock as clock
order by basis, side, payer, is_waiting, currency, aged.place
