-- grain: one service month in one currency
-- key: month_from, currency
-- description: Where the money of a month's services stands at D, to the cent, gross of tax, without tips or estimates:
--   expected = collected + adjusted + leaked + not_yet_due + unreconciled. Each term is summed from rows of its own, so
--   unreconciled is 0 where the reports agree. Overpaid is what payers paid beyond an invoice's total: it is owed to
--   them, is in no term, and stands beside. An invoice that waits for another insurer's answer repeats the balance of
--   that insurer's and is left out. Collected is from the report of applied payments where that goes back to the month
--   (basis applied), else from the sales report's column (basis sales; both in the month in which it begins).
with owned as (
    -- One row for each leak that is money owed. A write-off's invoice may have an open balance that another row owns.
    select
        leak.category,
        leak.occurred_on,
        leak.currency,
        leak.invoice_number,
        leak.amount_cents
    from marts.leak_ledger as leak
    where leak.certainty <> 'estimate'
),

terms as (
    select
        money.service_date as on_day,
        money.currency,
        money.charged_cents as expected_cents,
        money.collected_cents,
        money.adjusted_cents,
        0 as leaked_cents,
        case when owned.invoice_number is null then money.open_cents else 0 end as not_yet_due_cents,
        money.overpaid_cents
    from intermediate.invoice_money as money
    left join owned
        on owned.invoice_number = money.invoice_number
        and owned.category <> 'write_off'
    union all
    select
        owned.occurred_on as on_day,
        owned.currency,
        case when owned.invoice_number is null then owned.amount_cents else 0 end as expected_cents,
        0 as collected_cents,
        0 as adjusted_cents,
        owned.amount_cents as leaked_cents,
        0 as not_yet_due_cents,
        0 as overpaid_cents
    from owned
),

months as (
    select
        cast(date_trunc('month', terms.on_day) as date) as month_from,
        terms.currency,
        cast(sum(terms.expected_cents) as bigint) as expected_cents,
        cast(sum(terms.collected_cents) as bigint) as collected_cents,
        cast(sum(terms.adjusted_cents) as bigint) as adjusted_cents,
        cast(sum(terms.leaked_cents) as bigint) as leaked_cents,
        cast(sum(terms.not_yet_due_cents) as bigint) as not_yet_due_cents,
        cast(sum(terms.overpaid_cents) as bigint) as overpaid_cents
    from terms
    group by all
)

select
    months.month_from,
    months.currency,
    months.expected_cents,
    months.collected_cents,
    months.adjusted_cents,
    months.leaked_cents,
    months.not_yet_due_cents,
    months.expected_cents - months.collected_cents - months.adjusted_cents - months.leaked_cents
    - months.not_yet_due_cents as unreconciled_cents,
    months.overpaid_cents,
    case
        when months.month_from >= payments_from.first_on then 'applied'
        when last_day(months.month_from) >= payments_from.first_on then 'both'
        else 'sales'
    end as collected_basis,
    clock.as_of
from months
cross join intermediate.payments_from as payments_from
cross join staging.clock as clock
order by months.month_from, months.currency
