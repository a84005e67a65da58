-- grain: one invoice line
-- key: invoice_number, item, ordinal
-- description: The lines that the portal counts, as its own total does: those that stand at D, and each reversal with
--   the original that it takes back, which count until then. Courtesy claims of Patient Pre-Pay are out; an invoice
--   that waits for another insurer's answer is in, as the portal has it.
with reversals as (
    select
        line.invoice_base,
        line.side,
        line.payer_id,
        line.invoice_sequence,
        max(original.invoice_sequence) as original_sequence
    from staging.invoice_lines as line
    cross join staging.clock as clock
    inner join staging.invoice_lines as original
        on original.invoice_base = line.invoice_base
        and original.side = line.side
        and original.payer_id = line.payer_id
        and original.invoice_sequence <= line.invoice_sequence
        and not original.is_reversal
    where line.is_reversal
        and line.invoice_date <= clock.as_of
    group by all
),

undone as (
    select reversal.invoice_base, reversal.side, reversal.payer_id, reversal.invoice_sequence, true as is_reversal
    from reversals as reversal
    union
    select reversal.invoice_base, reversal.side, reversal.payer_id, reversal.original_sequence, false as is_reversal
    from reversals as reversal
)

select
    line.invoice_number,
    line.item,
    line.ordinal,
    line.side,
    line.invoice_date,
    line.balance_cents,
    line.currency,
    line.observed_on
from intermediate.standing_lines as line
union all
select
    line.invoice_number,
    line.item,
    line.ordinal,
    line.side,
    line.invoice_date,
    line.balance_cents,
    line.currency,
    line.observed_on
from staging.invoice_lines as line
inner join undone
    on undone.invoice_base = line.invoice_base
    and undone.side = line.side
    and undone.payer_id = line.payer_id
    and undone.invoice_sequence = line.invoice_sequence
    and undone.is_reversal = line.is_reversal
where not line.is_prepay
