-- grain: one application of money to one invoice
-- key: payment_id, invoice_number, ordinal
-- description: Money that was put on invoices up to the end of D, negative where it was taken off again by a refund,
--   a bounce or a new edition. Money that pays no invoice yet is not here.
select
    applied.payment_id,
    applied.invoice_number,
    regexp_replace(applied.invoice_number, '-[A-Z]+[0-9]+X?$', '') as invoice_base,
    case when regexp_matches(applied.invoice_number, '-C[0-9]+X?$') then 'insurer' else 'patient' end as side,
    coalesce(applied.payer_id, '') as payer_id,
    applied.ordinal,
    applied.applied_on,
    applied.amount_cents,
    applied.currency
from lake.applied_payments as applied
cross join staging.clock as clock
where applied.invoice_number <> ''
    and applied.applied_on <= clock.as_of
