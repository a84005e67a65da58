-- grain: one leak for which money came in after it was first seen
-- key: leak_id
-- description: What of each leak was recovered by D. Money recovers the leak that its invoice had last become by the
--   day before, as far as the balance was open; a bounce or refund undoes what the money before it recovered, but
--   not by what had been paid beyond the balance. No payment is in two rows. By us is what came after a day on which
--   somebody had the leak as a task (assigned, contacted). Leaked is the balance just before the first money.
with flows as (
    select
        movement.invoice_number,
        movement.on_day,
        movement.collected_cents,
        invoice.open_cents - invoice.overpaid_cents + sum(movement.collected_cents + movement.adjusted_cents) over (
            partition by movement.invoice_number
            order by movement.on_day desc
            rows unbounded preceding
        ) as balance_before_cents
    from intermediate.invoice_movements as movement
    inner join intermediate.invoices as invoice using (invoice_number)
    where movement.invoice_number in (select spell.invoice_number from intermediate.leak_spells as spell)
),

placed as (
    select
        flows.invoice_number,
        flows.on_day,
        flows.collected_cents,
        flows.balance_before_cents,
        spell.category,
        spell.appointment_id,
        spell.first_seen_on
    from flows
    asof left join intermediate.leak_spells as spell
        on spell.invoice_number = flows.invoice_number
        and spell.seen_on < flows.on_day
    where flows.collected_cents <> 0
),

owned as (
    -- What is taken back undoes the money before it, whichever leak that recovered, or none.
    select
        placed.invoice_number,
        placed.on_day,
        placed.collected_cents,
        placed.balance_before_cents,
        last_value(case when placed.collected_cents > 0 then placed.on_day end ignore nulls) over so_far as paid_on,
        last_value(
            case
                when placed.collected_cents > 0
                    then {
                        'category': placed.category,
                        'appointment_id': placed.appointment_id,
                        'first_seen_on': placed.first_seen_on
                    }
            end
            ignore nulls
        ) over so_far as leak
    from placed
    window so_far as (
        partition by placed.invoice_number
        order by placed.on_day
        rows unbounded preceding
    )
),

shares as (
    select
        leak_identity(
            owned.leak.category,
            case when owned.leak.appointment_id is null then invoice.invoice_base end,
            invoice.side,
            invoice.payer_id,
            cast(owned.leak.appointment_id as varchar)
        ) as leak_id,
        owned.leak.category as category,
        owned.leak.appointment_id as appointment_id,
        owned.leak.first_seen_on as first_seen_on,
        owned.invoice_number,
        invoice.patient,
        case when owned.leak.appointment_id is null then invoice.payer end as payer,
        invoice.currency,
        owned.on_day,
        owned.paid_on,
        greatest(owned.balance_before_cents, 0)
            - greatest(owned.balance_before_cents - owned.collected_cents, 0) as recovered_cents,
        case when owned.collected_cents > 0 then greatest(owned.balance_before_cents, 0) else 0 end as leaked_cents
    from owned
    inner join intermediate.invoices as invoice using (invoice_number)
    where owned.leak.category is not null
),

by_invoice as (
    select
        shares.leak_id,
        shares.category,
        shares.invoice_number,
        min(shares.appointment_id) as appointment_id,
        min(shares.first_seen_on) as first_seen_on,
        min(shares.patient) as patient,
        min(shares.payer) as payer,
        min(shares.currency) as currency,
        min(shares.on_day) as first_money_on,
        max(shares.on_day) as last_money_on,
        max(shares.leaked_cents) as leaked_cents,
        greatest(sum(shares.recovered_cents), 0) as recovered_cents,
        greatest(coalesce(sum(shares.recovered_cents) filter (where said.task_on < shares.paid_on), 0), 0)
            as recovered_by_us_cents
    from shares
    left join intermediate.leak_states as said using (leak_id)
    group by shares.leak_id, shares.category, shares.invoice_number
),

leaks as (
    select
        by_invoice.leak_id,
        by_invoice.category,
        min(by_invoice.appointment_id) as appointment_id,
        case when count(*) = 1 then min(by_invoice.invoice_number) end as invoice_number,
        min(by_invoice.first_seen_on) as first_seen_on,
        min(by_invoice.patient) as patient,
        min(by_invoice.payer) as payer,
        min(by_invoice.currency) as currency,
        min(by_invoice.first_money_on) as first_money_on,
        max(by_invoice.last_money_on) as last_money_on,
        cast(sum(by_invoice.leaked_cents) as bigint) as leaked_cents,
        cast(sum(least(by_invoice.recovered_cents, by_invoice.leaked_cents)) as bigint) as recovered_cents,
        cast(
            sum(least(by_invoice.recovered_by_us_cents, by_invoice.recovered_cents, by_invoice.leaked_cents)) as bigint
        ) as recovered_by_us_cents
    from by_invoice
    where by_invoice.leaked_cents > 0
    group by by_invoice.leak_id, by_invoice.category
)

select
    leaks.leak_id,
    leaks.category,
    leaks.first_seen_on,
    leaks.leaked_cents,
    leaks.recovered_cents,
    leaks.recovered_by_us_cents,
    case when leaks.recovered_cents >= leaks.leaked_cents then 'recovered' else coalesce(said.state, 'open') end
        as state,
    leaks.first_money_on,
    leaks.last_money_on,
    said.task_on,
    leaks.patient,
    leaks.payer,
    leaks.appointment_id,
    leaks.invoice_number,
    leaks.currency,
    clock.as_of
from leaks
cross join staging.clock as clock
left join intermediate.leak_states as said using (leak_id)
order by leaks.leak_id
