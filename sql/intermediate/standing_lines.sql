-- grain: one invoice line
-- key: invoice_number, item, ordinal
-- description: The lines that stand at the end of D. Out are lines invoiced after D, reversals and the originals
--   they reverse, numbers that a higher one of the same invoice, side and payer replaced, and the courtesy claims
--   of Patient Pre-Pay.
with latest_sequences as (
    -- A reversal carries the number it reverses or the next free one: either is no lower than what it takes away.
    select
        line.invoice_base,
        line.side,
        line.payer_id,
        max(line.invoice_sequence) filter (where not line.is_reversal) as standing_sequence,
        max(line.invoice_sequence) filter (where line.is_reversal) as reversed_sequence
    from staging.invoice_lines as line
    cross join staging.clock as clock
    where line.invoice_date <= clock.as_of
    group by line.invoice_base, line.side, line.payer_id
)

select
    line.invoice_number,
    line.invoice_base,
    line.base_number,
    line.side,
    line.invoice_sequence,
    line.item,
    line.ordinal,
    line.service_date,
    line.invoice_date,
    line.patient,
    line.staff_member,
    line.location,
    line.payer_id,
    line.payer,
    line.is_pass,
    line.total_cents,
    line.collected_cents,
    line.balance_cents,
    line.currency,
    line.observed_on
from staging.invoice_lines as line
inner join latest_sequences as latest
    on latest.invoice_base = line.invoice_base
    and latest.side = line.side
    and latest.payer_id = line.payer_id
    and latest.standing_sequence = line.invoice_sequence
cross join staging.clock as clock
where line.invoice_date <= clock.as_of
    and not line.is_reversal
    and not line.is_prepay
    and coalesce(latest.reversed_sequence < latest.standing_sequence, true)
