-- grain: the adjustments of one kind and payer kind in one month
-- key: month_from, kind, payer_kind, currency
-- description: What was taken off invoices without money up to D, by the month in which it was done.
select
    cast(date_trunc('month', adjustment.adjusted_on) as date) as month_from,
    adjustment.kind,
    adjustment.payer_kind,
    adjustment.currency,
    count(distinct adjustment.invoice_number) as invoices,
    cast(sum(adjustment.amount_cents) as bigint) as amount_cents
from staging.adjustments as adjustment
group by all
order by month_from, adjustment.kind, adjustment.payer_kind, adjustment.currency
