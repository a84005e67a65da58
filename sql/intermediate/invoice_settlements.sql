-- grain: one standing invoice that money or an adjustment has touched
-- key: invoice_number
-- description: What was collected on a standing invoice up to D (applied, less refunds and bounces), what was taken off
--   it without money, and what of that was written off and not taken back. A number that no sales report prints any
--   more speaks of what stands in its place: the same invoice, side and payer.
with movements as (
    select
        applied.invoice_number,
        applied.invoice_base,
        applied.side,
        applied.payer_id,
        applied.amount_cents as collected_cents,
        0 as adjusted_cents,
        0 as written_off_cents,
        0 as undone_cents
    from staging.applied_payments as applied
    union all
    select
        adjustment.invoice_number,
        adjustment.invoice_base,
        case when regexp_matches(adjustment.invoice_number, '-C[0-9]+X?$') then 'insurer' else 'patient' end as side,
        adjustment.payer_id,
        0 as collected_cents,
        adjustment.amount_cents as adjusted_cents,
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
        sum(movements.collected_cents) as collected_cents,
        sum(movements.adjusted_cents) as adjusted_cents,
        sum(movements.written_off_cents) as written_off_cents,
        sum(movements.undone_cents) as undone_cents
    from movements
    group by all
),

printed as (
    select distinct line.invoice_number
    from staging.invoice_lines as line
),

settled as (
    select
        coalesce(exact.invoice_number, successor.invoice_number) as invoice_number,
        sum(summed.collected_cents) as collected_cents,
        sum(summed.adjusted_cents) as adjusted_cents,
        sum(summed.written_off_cents) as written_off_cents,
        sum(summed.undone_cents) as undone_cents
    from summed
    left join printed using (invoice_number)
    left join intermediate.invoices as exact on exact.invoice_number = summed.invoice_number
    left join intermediate.invoices as successor
        on printed.invoice_number is null
        and successor.invoice_base = summed.invoice_base
        and successor.side = summed.side
        and successor.payer_id = summed.payer_id
    where coalesce(exact.invoice_number, successor.invoice_number) is not null
    group by all
)

select
    settled.invoice_number,
    cast(settled.collected_cents as bigint) as collected_cents,
    cast(
        settled.adjusted_cents - greatest(settled.written_off_cents + least(settled.undone_cents, 0), 0) as bigint
    ) as adjusted_cents,
    cast(greatest(settled.written_off_cents + least(settled.undone_cents, 0), 0) as bigint) as written_off_cents
from settled
