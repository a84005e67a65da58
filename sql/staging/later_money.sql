-- grain: one invoice number and one day after D on which something came off it
-- key: invoice_number, on_day
-- description: What came off an invoice's balance after D, by money or by an adjustment. Reports print a balance as it
--   stands on their day; this takes it back to what it was at D.
with later as (
    select
        applied.invoice_number,
        applied.applied_on as on_day,
        applied.amount_cents
    from lake.applied_payments as applied
    where applied.invoice_number <> ''
    union all
    select
        adjustment.invoice_number,
        adjustment.adjusted_on as on_day,
        adjustment.amount_cents
    from staging.every_adjustment as adjustment
)

select
    later.invoice_number,
    later.on_day,
    cast(sum(later.amount_cents) as bigint) as amount_cents
from later
cross join staging.clock as clock
where later.on_day > clock.as_of
group by later.invoice_number, later.on_day
