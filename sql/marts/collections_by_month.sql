-- grain: one service month of one payer kind in one currency
-- key: month_from, payer_kind, currency
-- description: How much of a month's services was collected by D. payer_kind is insurer, person, none for visits and
--   fees that nobody invoiced, and all for the month together, whose terms are those of the money identity. Gross rate
--   is collected ÷ expected, settled rate (collected + adjusted) ÷ expected, net rate collected ÷ (expected −
--   contractual reductions): what the clinic could have had.
with terms as (
    select
        money.service_date as on_day,
        case when money.side = 'insurer' then 'insurer' else 'person' end as payer_kind,
        money.currency,
        1 as invoices,
        money.charged_cents as expected_cents,
        money.collected_cents,
        money.adjusted_cents,
        money.contractual_cents,
        money.written_off_cents,
        money.open_cents
    from intermediate.invoice_money as money
    union all
    select
        leak.occurred_on as on_day,
        'none' as payer_kind,
        leak.currency,
        0 as invoices,
        leak.amount_cents as expected_cents,
        0 as collected_cents,
        0 as adjusted_cents,
        0 as contractual_cents,
        0 as written_off_cents,
        0 as open_cents
    from marts.leak_ledger as leak
    where leak.certainty <> 'estimate'
        and leak.invoice_number is null
),

kinds as (
    select unnest(['insurer', 'person', 'none', 'all']) as payer_kind
),

months as (
    select
        cast(date_trunc('month', terms.on_day) as date) as month_from,
        terms.payer_kind,
        terms.currency,
        sum(terms.invoices) as invoices,
        sum(terms.expected_cents) as expected_cents,
        sum(terms.collected_cents) as collected_cents,
        sum(terms.adjusted_cents) as adjusted_cents,
        sum(terms.contractual_cents) as contractual_cents,
        sum(terms.written_off_cents) as written_off_cents,
        sum(terms.open_cents) as open_cents
    from terms
    group by all
),

rows_and_all as (
    select
        months.month_from,
        kinds.payer_kind,
        months.currency,
        cast(sum(months.invoices) as bigint) as invoices,
        cast(sum(months.expected_cents) as bigint) as expected_cents,
        cast(sum(months.collected_cents) as bigint) as collected_cents,
        cast(sum(months.adjusted_cents) as bigint) as adjusted_cents,
        cast(sum(months.contractual_cents) as bigint) as contractual_cents,
        cast(sum(months.written_off_cents) as bigint) as written_off_cents,
        cast(sum(months.open_cents) as bigint) as open_cents
    from months
    inner join kinds on kinds.payer_kind in (months.payer_kind, 'all')
    group by months.month_from, kinds.payer_kind, months.currency
)

select
    term.month_from,
    term.payer_kind,
    term.invoices,
    term.expected_cents,
    term.collected_cents,
    term.adjusted_cents,
    term.contractual_cents,
    term.written_off_cents,
    term.open_cents,
    case when term.expected_cents > 0 then term.collected_cents / cast(term.expected_cents as double) end
        as gross_rate,
    case
        when term.expected_cents > 0
            then (term.collected_cents + term.adjusted_cents) / cast(term.expected_cents as double)
    end as settled_rate,
    case
        when term.expected_cents > term.contractual_cents
            then term.collected_cents / cast(term.expected_cents - term.contractual_cents as double)
    end as net_rate,
    term.currency,
    clock.as_of
from rows_and_all as term
cross join staging.clock as clock
order by term.month_from, term.payer_kind, term.currency
