-- grain: one leak at D: a category and the thing it was found on
-- key: category, source_id
-- description: Leaked revenue, one row for each category and source (an appointment id, the current invoice number, or
--   staff and day, or of falloff the episode), with what shows it. Certainty is firm, likely, or estimate: of idle
--   capacity and falloff, and where no price was known; estimates are never added to money owed. Who and what are empty
--   where the patients of a group booking differ in it. leak_id stays while the invoice is renumbered, state is what
--   people last said of it.
with appointment_leaks as (
    select
        appointment.category,
        appointment.appointment_id,
        appointment.patient,
        appointment.staff_member,
        appointment.location,
        appointment.discipline,
        appointment.item,
        appointment.service_date,
        price.amount_cents,
        price.basis as amount_basis,
        case when price.basis = 'price_list' then 'likely' else 'estimate' end as certainty
    from intermediate.unbilled_appointments as appointment
    inner join intermediate.expected_prices as price using (item, location, service_date)
    union all
    select
        case when missed.kind = 'no_show' then 'no_show_fee' else 'late_cancel_fee' end as category,
        missed.appointment_id,
        missed.patient,
        missed.staff_member,
        missed.location,
        missed.discipline,
        missed.item,
        missed.service_date,
        missed.fee_cents as amount_cents,
        'fee_policy' as amount_basis,
        'likely' as certainty
    from intermediate.missed_fees as missed
),

invoice_leaks as (
    select
        leak.category,
        leak.certainty,
        leak.invoice_number,
        leak.claim_folder,
        leak.claim_sent_on,
        leak.claim_answered_on,
        leak.policy_ended_on
    from intermediate.insurer_leaks as leak
    union all
    select
        leak.category,
        leak.certainty,
        leak.invoice_number,
        null as claim_folder,
        null as claim_sent_on,
        null as claim_answered_on,
        null as policy_ended_on
    from intermediate.patient_leaks as leak
),

leaks as (
    select
        leak.category,
        cast(leak.appointment_id as varchar) as source_id,
        min(leak.service_date) as occurred_on,
        cast(sum(leak.amount_cents) as bigint) as amount_cents,
        min(clock.currency) as currency,
        case when bool_or(leak.certainty = 'estimate') then 'estimate' else 'likely' end as certainty,
        count(*) as patients,
        case when count(*) = 1 then min(leak.patient) end as patient,
        case when min(leak.staff_member) = max(leak.staff_member) then min(leak.staff_member) end as staff_member,
        case when min(leak.location) = max(leak.location) then min(leak.location) end as location,
        case when min(leak.discipline) = max(leak.discipline) then min(leak.discipline) end as discipline,
        case when min(leak.item) = max(leak.item) then min(leak.item) end as item,
        cast(null as varchar) as payer,
        leak.appointment_id,
        cast(null as varchar) as invoice_number,
        cast(null as date) as invoice_date,
        cast(null as varchar) as claim_folder,
        cast(null as date) as claim_sent_on,
        cast(null as date) as claim_answered_on,
        cast(null as date) as policy_ended_on,
        min(leak.amount_basis) as amount_basis
    from appointment_leaks as leak
    cross join staging.clock as clock
    group by leak.category, leak.appointment_id
    union all
    select
        leak.category,
        leak.invoice_number as source_id,
        invoice.service_date as occurred_on,
        invoice.open_cents as amount_cents,
        invoice.currency,
        leak.certainty,
        1 as patients,
        invoice.patient,
        invoice.staff_member,
        invoice.location,
        invoice.discipline,
        invoice.item,
        invoice.payer,
        null as appointment_id,
        leak.invoice_number,
        invoice.invoice_date,
        leak.claim_folder,
        leak.claim_sent_on,
        leak.claim_answered_on,
        leak.policy_ended_on,
        'balance' as amount_basis
    from invoice_leaks as leak
    inner join intermediate.open_invoices as invoice using (invoice_number)
    union all
    select
        'write_off' as category,
        invoice.invoice_number as source_id,
        invoice.service_date as occurred_on,
        settlement.written_off_cents as amount_cents,
        invoice.currency,
        'firm' as certainty,
        1 as patients,
        invoice.patient,
        subject.staff_member,
        subject.location,
        subject.discipline,
        subject.item,
        invoice.payer,
        null as appointment_id,
        invoice.invoice_number,
        invoice.invoice_date,
        null as claim_folder,
        null as claim_sent_on,
        null as claim_answered_on,
        null as policy_ended_on,
        'write_off' as amount_basis
    from intermediate.invoice_settlements as settlement
    inner join intermediate.invoices as invoice using (invoice_number)
    inner join intermediate.invoice_subjects as subject using (invoice_number)
    where settlement.written_off_cents > 0
    union all
    select
        'idle_capacity' as category,
        idle.staff_member || ' ' || idle.on_day as source_id,
        idle.on_day as occurred_on,
        idle.amount_cents,
        clock.currency,
        'estimate' as certainty,
        0 as patients,
        null as patient,
        idle.staff_member,
        null as location,
        null as discipline,
        null as item,
        null as payer,
        null as appointment_id,
        null as invoice_number,
        null as invoice_date,
        null as claim_folder,
        null as claim_sent_on,
        null as claim_answered_on,
        null as policy_ended_on,
        case when idle.booked_minutes > 0 then 'hourly_rate' else 'none' end as amount_basis
    from intermediate.idle_hours as idle
    cross join staging.clock as clock
    union all
    select
        'falloff' as category,
        leak.episode_id as source_id,
        leak.last_on as occurred_on,
        leak.amount_cents,
        clock.currency,
        'estimate' as certainty,
        1 as patients,
        leak.patient,
        leak.staff_member,
        leak.location,
        leak.discipline,
        leak.item,
        null as payer,
        null as appointment_id,
        null as invoice_number,
        null as invoice_date,
        null as claim_folder,
        null as claim_sent_on,
        null as claim_answered_on,
        null as policy_ended_on,
        leak.amount_basis
    from intermediate.falloff_leaks as leak
    cross join staging.clock as clock
)

select
    leaks.category,
    leaks.source_id,
    leaks.occurred_on,
    leaks.amount_cents,
    leaks.currency,
    leaks.certainty,
    leaks.patients,
    leaks.patient,
    leaks.staff_member,
    leaks.location,
    leaks.discipline,
    leaks.item,
    leaks.payer,
    leaks.appointment_id,
    leaks.invoice_number,
    leaks.invoice_date,
    leaks.claim_folder,
    leaks.claim_sent_on,
    leaks.claim_answered_on,
    leaks.policy_ended_on,
    leaks.amount_basis,
    leak_identity(leaks.category, invoice.invoice_base, invoice.side, invoice.payer_id, leaks.source_id) as leak_id,
    case when leaks.category = 'write_off' then 'written_off' else coalesce(said.state, 'open') end as state,
    clock.as_of - leaks.occurred_on as age_days,
    clock.as_of
from leaks
cross join staging.clock as clock
left join intermediate.invoices as invoice on invoice.invoice_number = leaks.invoice_number
left join intermediate.leak_states as said
    on said.leak_id
    = leak_identity(leaks.category, invoice.invoice_base, invoice.side, invoice.payer_id, leaks.source_id)
order by leaks.category, leaks.source_id
