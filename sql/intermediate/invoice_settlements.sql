-- grain: one standing invoice that money or an adjustment has touched
-- key: invoice_number
-- description: What was collected on a standing invoice up to D (applied, less refunds and bounces), what was taken off
--   it without money, what of that was a contractual reduction, and what was written off and not taken back.
with settled as (
    select
        movement.invoice_number,
        max(movement.on_day) as last_on,
        sum(movement.collected_cents) as collected_cents,
        sum(movement.adjusted_cents) as adjusted_cents,
        sum(movement.contractual_cents) as contractual_cents,
        greatest(sum(movement.written_off_cents) + least(sum(movement.undone_cents), 0), 0) as written_off_cents
    from intermediate.invoice_movements as movement
    group by movement.invoice_number
)

select
    settled.invoice_number,
    settled.last_on,
    cast(settled.collected_cents as bigint) as collected_cents,
    cast(settled.adjusted_cents - settled.written_off_cents as bigint) as adjusted_cents,
    cast(settled.contractual_cents as bigint) as contractual_cents,
    cast(settled.written_off_cents as bigint) as written_off_cents
from settled
