-- grain: one standing invoice number (one payer's side of one visit's invoice)
-- key: invoice_number
-- description: Standing invoices with their lines summed, their balance taken back to D. Open is what is owed on them;
--   what was paid beyond the total is owed to the payer, and is no negative debt.
with summed as (
    select
        line.invoice_number,
        min(line.invoice_base) as invoice_base,
        min(line.base_number) as base_number,
        min(line.invoice_sequence) as invoice_sequence,
        min(line.side) as side,
        min(line.payer_id) as payer_id,
        min(line.payer) as payer,
        min(line.patient) as patient,
        min(line.service_date) as service_date,
        min(line.invoice_date) as invoice_date,
        sum(line.total_cents) as total_cents,
        sum(line.collected_cents) as reported_collected_cents,
        sum(line.balance_cents) as balance_cents,
        min(line.currency) as currency
    from intermediate.standing_lines as line
    group by line.invoice_number
),

reported as (
    -- asked apart, and only of what money came for later: the sums of all invoices need not be held to be read twice
    select
        line.invoice_number,
        max(line.observed_on) as observed_on
    from intermediate.standing_lines as line
    where line.invoice_number in (select later.invoice_number from staging.later_money as later)
    group by line.invoice_number
),

taken_back as (
    select
        later.invoice_number,
        sum(later.amount_cents) as amount_cents
    from staging.later_money as later
    inner join reported
        on reported.invoice_number = later.invoice_number
        and later.on_day <= reported.observed_on
    group by later.invoice_number
)

select
    summed.invoice_number,
    summed.invoice_base,
    summed.base_number,
    summed.invoice_sequence,
    summed.side,
    summed.payer_id,
    summed.payer,
    summed.patient,
    summed.service_date,
    summed.invoice_date,
    cast(summed.total_cents as bigint) as total_cents,
    cast(summed.reported_collected_cents as bigint) as reported_collected_cents,
    cast(greatest(summed.balance_cents + coalesce(taken_back.amount_cents, 0), 0) as bigint) as open_cents,
    cast(greatest(-(summed.balance_cents + coalesce(taken_back.amount_cents, 0)), 0) as bigint) as overpaid_cents,
    summed.currency
from summed
left join taken_back using (invoice_number)
