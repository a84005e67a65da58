-- grain: one adjustment of one invoice
-- key: invoice_number, kind, adjusted_on, ordinal
-- description: What was taken off invoices without money up to the end of D: credit memos, contractual reductions,
--   write-offs.
select
    adjustment.invoice_number,
    adjustment.invoice_base,
    adjustment.kind,
    adjustment.adjusted_on,
    adjustment.ordinal,
    adjustment.service_date,
    adjustment.patient,
    adjustment.payer_kind,
    adjustment.payer_id,
    adjustment.amount_cents,
    adjustment.currency
from staging.every_adjustment as adjustment
cross join staging.clock as clock
where adjustment.adjusted_on <= clock.as_of
