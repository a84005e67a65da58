-- grain: one side (patient, insurer, or all of it) in one currency
-- key: side, currency
-- description: What is owed at D, and how many days of charges that is. Open balances leave out what waits for another
--   insurer's answer. Credits are money on account and what was paid beyond an invoice's total: both are owed back, so
--   net is open − credits. Charges are the invoices of services of the 90 days that end with D, or of those that are
--   known; days in A/R is net ÷ (charges ÷ days).
with sides as (
    select unnest(['patient', 'insurer', 'all']) as side
),

balances as (
    select
        money.side,
        money.currency,
        money.open_cents,
        money.overpaid_cents,
        0 as on_account_cents,
        case
            when money.service_date > clock.as_of - 90 and money.service_date <= clock.as_of then money.charged_cents
            else 0
        end as charged_cents,
        case when money.open_cents > 0 then 1 else 0 end as open_invoices
    from intermediate.invoice_money as money
    cross join staging.clock as clock
    union all
    select
        case when credit.payer_kind = 'insurer' then 'insurer' else 'patient' end as side,
        credit.currency,
        0 as open_cents,
        0 as overpaid_cents,
        credit.credit_cents as on_account_cents,
        0 as charged_cents,
        0 as open_invoices
    from staging.credits as credit
),

totals as (
    select
        sides.side,
        balances.currency,
        cast(sum(balances.open_invoices) as bigint) as open_invoices,
        cast(sum(balances.open_cents) as bigint) as open_cents,
        cast(sum(balances.overpaid_cents) as bigint) as overpaid_cents,
        cast(sum(balances.on_account_cents) as bigint) as on_account_cents,
        cast(sum(balances.charged_cents) as bigint) as charged_cents
    from balances
    inner join sides on sides.side in (balances.side, 'all')
    group by sides.side, balances.currency
)

select
    totals.side,
    totals.open_invoices,
    totals.open_cents,
    totals.on_account_cents,
    totals.overpaid_cents,
    totals.open_cents - totals.on_account_cents - totals.overpaid_cents as net_cents,
    totals.charged_cents,
    cast(least(90, greatest(clock.as_of - clock.history_from + 1, 1)) as bigint) as charge_days,
    case
        when totals.charged_cents > 0
            then (totals.open_cents - totals.on_account_cents - totals.overpaid_cents)
                * cast(least(90, greatest(clock.as_of - clock.history_from + 1, 1)) as double)
                / totals.charged_cents
    end as days_in_receivables,
    totals.currency,
    clock.as_of
from totals
cross join staging.clock as clock
order by totals.side, totals.currency
