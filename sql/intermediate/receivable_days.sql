-- grain: one day on which what the portal counts as owed changed, by side and currency
-- key: on_day, side, currency
-- description: What came onto and went off open balances on each day, up to the day on which the reports were seen:
--   an invoice comes on when it is invoiced, money and adjustments take off. Summed up to a day it is what was owed
--   then, less what was paid beyond totals. Empty where the portal's own totals were never brought home.
with asked as (
    select max(control.period_to) as last_on
    from staging.control_totals as control
    having count(*) > 0
),

counted as (
    select
        line.invoice_number,
        min(line.side) as side,
        min(line.currency) as currency,
        min(line.invoice_date) as invoice_date,
        sum(line.balance_cents) as balance_cents,
        max(line.observed_on) as observed_on
    from intermediate.counted_lines as line
    inner join asked on line.invoice_date <= asked.last_on
    group by line.invoice_number
),

movements as (
    select applied.invoice_number, applied.applied_on as on_day, applied.amount_cents
    from staging.applied_payments as applied
    union all
    select adjustment.invoice_number, adjustment.adjusted_on as on_day, adjustment.amount_cents
    from staging.adjustments as adjustment
    union all
    select later.invoice_number, later.on_day, later.amount_cents
    from staging.later_money as later
),

taken_off as (
    -- What a balance does not show any more. Money that came before the invoice's day was never owed.
    select
        counted.invoice_number,
        counted.side,
        counted.currency,
        counted.invoice_date,
        movements.on_day,
        movements.amount_cents
    from counted
    inner join movements
        on movements.invoice_number = counted.invoice_number
        and movements.on_day > counted.invoice_date
        and movements.on_day <= counted.observed_on
),

changes as (
    select counted.invoice_date as on_day, counted.side, counted.currency, counted.balance_cents as amount_cents
    from counted
    union all
    select taken_off.invoice_date as on_day, taken_off.side, taken_off.currency, taken_off.amount_cents
    from taken_off
    union all
    select taken_off.on_day, taken_off.side, taken_off.currency, -taken_off.amount_cents as amount_cents
    from taken_off
)

select
    changes.on_day,
    changes.side,
    changes.currency,
    sum(changes.amount_cents) as amount_cents
from changes
group by changes.on_day, changes.side, changes.currency
