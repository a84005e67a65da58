-- grain: one open patient invoice that a category owns
-- key: invoice_number
-- description: Open patient invoices: copay_missed where the visit has an insurer line too and its day is past,
--   else patient_balance_aged more than 30 days after the invoice date.
with insured_bases as (
    select distinct invoice.invoice_base
    from intermediate.invoices as invoice
    where invoice.side = 'insurer'
),

categorised as (
    select
        invoice.invoice_number,
        case
            when insured_bases.invoice_base is not null and invoice.service_date < clock.as_of then 'copay_missed'
            when clock.as_of - invoice.invoice_date > 30 then 'patient_balance_aged'
        end as category
    from intermediate.open_invoices as invoice
    cross join staging.clock as clock
    left join insured_bases using (invoice_base)
    where invoice.side = 'patient'
)

select
    categorised.category,
    'firm' as certainty,
    categorised.invoice_number
from categorised
where categorised.category is not null
