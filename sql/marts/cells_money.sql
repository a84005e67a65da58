-- grain: one cell of one table that is released of invoices, adjustments or open balances, before anything is
--   suppressed
-- key: base, table_name, value_a, value_b
-- description: What disclosure control reads of money: exact sums of few patients are among them, so nobody is shown
--   this mart but who may see rows. Base invoices is of services in months that are over at D; adjustments by the
--   month in which they were done; receivables is what is open at D, by payer and by age since the invoice date, each
--   balance once. Amounts are in the clinic's currency; others are left out.
with invoices as (
    select
        invoice.patient,
        strftime(money.service_date, '%Y-%m') as month,
        case when money.side = 'insurer' then 'insurer' else 'person' end as payer_kind,
        last_day(money.service_date) as month_ends_on,
        money.charged_cents,
        money.collected_cents,
        money.adjusted_cents,
        money.contractual_cents,
        money.currency
    from intermediate.invoice_money as money
    inner join intermediate.invoices as invoice using (invoice_number)
),

invoice_cells as (
    select
        'invoices' as base,
        case
            when grouping(invoices.payer_kind) = 0 then 'month_payer_kind'
            when grouping(invoices.month) = 0 then 'month'
            else 'all'
        end as table_name,
        coalesce(invoices.month, '') as value_a,
        coalesce(invoices.payer_kind, '') as value_b,
        count(distinct invoices.patient) as patients,
        count(*) as things,
        sum(invoices.charged_cents) as amount_cents,
        sum(invoices.collected_cents) as collected_cents,
        sum(invoices.adjusted_cents) as adjusted_cents,
        sum(invoices.contractual_cents) as contractual_cents
    from invoices
    inner join staging.clock as clock on invoices.currency = clock.currency
    where invoices.month_ends_on <= clock.as_of
    group by grouping sets ((), (invoices.month), (invoices.month, invoices.payer_kind))
    having count(*) > 0
),

adjustments as (
    select
        adjustment.patient,
        strftime(adjustment.adjusted_on, '%Y-%m') as month,
        adjustment.kind,
        adjustment.amount_cents
    from staging.adjustments as adjustment
    inner join staging.clock as clock on adjustment.currency = clock.currency
    where last_day(adjustment.adjusted_on) <= clock.as_of
),

adjustment_cells as (
    select
        'adjustments' as base,
        case
            when grouping(adjustments.kind) = 0 then 'month_kind'
            when grouping(adjustments.month) = 0 then 'month'
            else 'all'
        end as table_name,
        coalesce(adjustments.month, '') as value_a,
        coalesce(adjustments.kind, '') as value_b,
        count(distinct adjustments.patient) as patients,
        count(*) as things,
        sum(adjustments.amount_cents) as amount_cents
    from adjustments
    group by grouping sets ((), (adjustments.month), (adjustments.month, adjustments.kind))
    having count(*) > 0
),

balances as (
    select
        invoice.patient,
        coalesce(invoice.payer, 'person') as payer,
        case
            when clock.as_of - invoice.invoice_date <= 30 then '0-30'
            when clock.as_of - invoice.invoice_date <= 60 then '31-60'
            when clock.as_of - invoice.invoice_date <= 90 then '61-90'
            when clock.as_of - invoice.invoice_date <= 120 then '91-120'
            else 'over_120'
        end as bucket,
        invoice.open_cents
    from intermediate.open_invoices as invoice
    inner join staging.clock as clock on invoice.currency = clock.currency
    where invoice.invoice_number not in (
        select waiting.invoice_number from intermediate.waiting_on_primary as waiting
    )
),

balance_cells as (
    select
        'receivables' as base,
        case
            when grouping(balances.payer, balances.bucket) = 0 then 'payer_bucket'
            when grouping(balances.payer) = 0 then 'payer'
            when grouping(balances.bucket) = 0 then 'bucket'
            else 'all'
        end as table_name,
        coalesce(balances.payer, balances.bucket, '') as value_a,
        case when grouping(balances.payer) = 0 then coalesce(balances.bucket, '') else '' end as value_b,
        count(distinct balances.patient) as patients,
        count(*) as things,
        sum(balances.open_cents) as amount_cents
    from balances
    group by grouping sets ((), (balances.payer), (balances.bucket), (balances.payer, balances.bucket))
    having count(*) > 0
),

cells as (
    select
        cell.base,
        cell.table_name,
        cell.value_a,
        cell.value_b,
        cell.patients,
        cell.things,
        cell.amount_cents,
        cell.collected_cents,
        cell.adjusted_cents,
        cell.contractual_cents
    from invoice_cells as cell
    union all
    select
        cell.base, cell.table_name, cell.value_a, cell.value_b, cell.patients, cell.things, cell.amount_cents, 0, 0, 0
    from adjustment_cells as cell
    union all
    select
        cell.base, cell.table_name, cell.value_a, cell.value_b, cell.patients, cell.things, cell.amount_cents, 0, 0, 0
    from balance_cells as cell
)

select
    cells.base,
    cells.table_name,
    cells.value_a,
    cells.value_b,
    cells.patients,
    cells.things,
    cast(cells.amount_cents as bigint) as amount_cents,
    cast(cells.collected_cents as bigint) as collected_cents,
    cast(cells.adjusted_cents as bigint) as adjusted_cents,
    cast(cells.contractual_cents as bigint) as contractual_cents,
    clock.currency,
    clock.as_of
from cells
cross join staging.clock as clock
order by cells.base, cells.table_name, cells.value_a, cells.value_b
