-- grain: one adjustment of one invoice, whenever it was made
-- key: invoice_number, kind, adjusted_on, ordinal
-- description: What was taken off invoices without money: credit memos, contractual reductions, write-offs. A
--   write-off that the adjustments report prints too counts once.
with reported as (
    select * from lake.adjustments
    union by name
    select * from lake.write_offs
),

numbered as (
    select
        reported.*,
        row_number() over (
            partition by reported.invoice_number, reported.kind, reported.adjusted_on, reported.ordinal
            order by reported.observed_on desc, reported.amount_cents desc
        ) as place
    from reported
)

select
    numbered.invoice_number,
    regexp_replace(numbered.invoice_number, '-[A-Z]+[0-9]+X?$', '') as invoice_base,
    numbered.kind,
    numbered.adjusted_on,
    numbered.ordinal,
    numbered.purchase_date as service_date,
    numbered.patient,
    numbered.payer_kind,
    coalesce(numbered.payer_id, '') as payer_id,
    numbered.amount_cents,
    numbered.currency
from numbered
where numbered.place = 1
