-- grain: one standing invoice and one day on which money or an adjustment touched it, up to D
-- key: invoice_number, on_day
-- description: What was collected on an invoice on a day (applied, less refunds and bounces) and what was taken off it
--   without money. A number that no sales report prints any more speaks of what stands in its place: the same invoice,
--   side and payer.
with movements as (
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

summed as (
    select
        movements.invoice_number,
        movements.invoice_base,
        movements.side,
        movements.payer_id,
        movements.on_day,
        sum(movements.collected_cents) as collected_cents,
        sum(movements.adjusted_cents) as adjusted_cents,
        sum(movements.contractual_cents) as contractual_cents,
        sum(movements.written_off_cents) as written_off_cents,
        sum(movements.undone_cents) as undone_cents
    from movements
    group by all
),

vanished as (
    select
        summed.invoice_base,
        summed.side,
        summed.payer_id,
        summed.on_day,
        summed.collected_cents,
        summed.adjusted_cents,
        summed.contractual_cents,
        summed.written_off_cents,
        summed.undone_cents
    from summed
    where not exists (
        select 1
        from staging.invoice_lines as line
        where line.invoice_number = summed.invoice_number
    )
),

found as (
    select
        invoice.invoice_number,
        summed.on_day,
        summed.collected_cents,
        summed.adjusted_cents,
        summed.contractual_cents,
        summed.written_off_cents,
        summed.undone_cents
    from summed
    inner join intermediate.invoices as invoice using (invoice_number)
    union all
    select
        successor.invoice_number,
        vanished.on_day,
        vanished.collected_cents,
        vanished.adjusted_cents,
        vanished.contractual_cents,
        vanished.written_off_cents,
        vanished.undone_cents
    from vanished
    inner join intermediate.invoices as successor using (invoice_base, side, payer_id)
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
