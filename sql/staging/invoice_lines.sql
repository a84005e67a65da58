-- grain: one invoice line
-- key: invoice_number, item, ordinal
-- description: Invoice lines with their side (patient or insurer; the payer decides where the number does not say),
--   their payer's name where it may be shown, and a number to sort invoices by.
with sided as (
    select
        line.*,
        case
            when line.invoice_side = 'C' or (line.invoice_side = '' and line.payer_kind = 'insurer') then 'insurer'
            else 'patient'
        end as side
    from lake.invoice_lines as line
)

select
    sided.invoice_number,
    sided.invoice_base,
    coalesce(try_cast(sided.invoice_base as bigint), 9223372036854775807) as base_number,
    sided.side,
    sided.invoice_sequence,
    sided.is_reversal,
    sided.item,
    sided.ordinal,
    sided.purchase_date as service_date,
    sided.invoice_date,
    sided.patient,
    sided.staff_member,
    sided.location,
    coalesce(sided.payer_id, '') as payer_id,
    case when sided.side = 'patient' then 'person' else coalesce(insurer.name, 'other insurer') end as payer,
    sided.is_prepay,
    replace(lower(sided.income_category), ' ', '_') = 'package_pass' as is_pass,
    sided.total_cents,
    sided.collected_cents,
    sided.balance_cents,
    sided.currency,
    sided.observed_on
from sided
left join staging.insurers as insurer on insurer.payer_id = sided.payer_id
