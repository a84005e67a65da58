-- grain: one standing invoice and one day on which money or an adjustment touched it, up to D
-- key: invoice_number, on_day
-- description: What was collected on an invoice on a day (applied, less refunds and bounces) and what was taken off it
--   without money. A number that no sales report prints any more speaks of what stands in its place: the same invoice,
--   side and payer.
with movements as not materialized (
    select
        applied.invoice_number,
        applied.invoice_base,
        applied.side,
        applied.payer_id,
        applied.applied_on as on_day,
        applied.amount_cents as collected_cents,
        0 as adjusted_cents,
        0 as contractual_cents,
        0 as written_off_cents,
        0 as undone_cents
    from staging.applied_payments as applied
    union all
    select
        adjustment.invoice_number,
        adjustment.invoice_base,
        case when regexp_matches(adjustment.invoice_number, '-C[0-9]+X?$') then 'insurer' else 'patient' end as side,
        adjustment.payer_id,
        adjustment.adjusted_on as on_day,
        0 as collected_cents,
        adjustment.amount_cents as adjusted_cents,
        case when adjustment.kind = 'contractual' then adjustment.amount_cents else 0 end as contractual_cents,
        case when adjustment.kind = 'write_off' then adjustment.amount_cents else 0 end as written_off_cents,
        case when adjustment.kind = 'reversal' then adjustment.amount_cents else 0 end as undone_cents
    from staging.adjustments as adjustment
),

vanished as (
    select movements.invoice_number
    from movements
    where not exists (
        select 1
        from staging.invoice_lines as line
        where line.invoice_number = movements.invoice_number
    )
),

found as (
    -- spelled out: with all columns of movements, what five million appointments need to be built in grows by a seventh
    select
        invoice.invoice_number,
        movements.on_day,
        movements.collected_cents,
        movements.adjusted_cents,
        movements.contractual_cents,
        movements.written_off_cents,
        movements.undone_cents
    from movements
    inner join intermediate.invoices as invoice using (invoice_number)
    union all
    select
        successor.invoice_number,
        movements.on_day,
        movements.collected_cents,
        movements.adjusted_cents,
        movements.contractual_cents,
        movements.written_off_cents,
        movements.undone_cents
    from movements
    inner join intermediate.invoices as successor using (invoice_base, side, payer_id)
    where movements.invoice_number in (select vanished.invoice_number from vanished)
)

select
    found.invoice_number,
    found.on_day,
    cast(sum(found.collected_cents) as bigint) as collected_cents,
    cast(sum(found.adjusted_cents) as bigint) as adjusted_cents,
    cast(sum(found.contractual_cents) as bigint) as contractual_cents,
    cast(sum(found.written_off_cents) as bigint) as written_off_cents,
    cast(sum(found.undone_cents) as bigint) as undone_cents
from found
group by found.invoice_number, found.on_day
