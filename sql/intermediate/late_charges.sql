-- grain: one invoice that was written only after its missing was a leak
-- key: invoice_base
-- description: Visits and fees that were charged late. first_seen_on is the day on which the ledger first had the
--   leak: 2 days after the visit, or after it was marked arrived or cancelled where that was later still; one that was
--   so marked more than 2 days after its end and charged that day was a visit_not_closed. An invoice of which only
--   later editions are known says nothing, nor does one whose claim was sent before: their date is that of the edit.
--   One that was written by the end of first_seen_on was no leak at any day's end.
with known as (
    select
        line.invoice_base,
        min(line.invoice_date) as charged_on
    from staging.invoice_lines as line
    cross join staging.clock as clock
    where not line.is_reversal
        and line.invoice_date <= clock.as_of
    group by line.invoice_base
    having min(line.invoice_sequence) <= 1
        and min(line.invoice_date) > min(line.service_date) + 2
),

-- A claim that was sent before is of an invoice that is printed no more.
claimed as (
    select
        claim.invoice_base,
        min(claim.sent_on) as sent_on
    from staging.claims as claim
    group by claim.invoice_base
),

charged as (
    select
        known.invoice_base,
        known.charged_on
    from known
    left join claimed using (invoice_base)
    where coalesce(claimed.sent_on >= known.charged_on, true)
),

visits as (
    select
        charged.invoice_base,
        charged.charged_on,
        appointment.appointment_id,
        appointment.service_date,
        cast(timezone(clock.time_zone, appointment.ends_at) as date) + 2 as unclosed_on,
        cast(timezone(clock.time_zone, appointment.arrived_at) as date) as arrived_on
    from charged
    inner join intermediate.visit_invoices as paired using (invoice_base)
    inner join staging.appointments as appointment
        on appointment.appointment_id = paired.appointment_id
        and appointment.patient = paired.patient
    cross join staging.clock as clock
),

fee_invoices as (
    select
        bases.patient,
        bases.service_date,
        bases.staff_member,
        bases.fee_item,
        bases.invoice_base,
        row_number() over (
            partition by bases.patient, bases.service_date, bases.staff_member, bases.fee_item
            order by bases.base_number, bases.invoice_base
        ) as place
    from (
        select
            line.patient,
            line.service_date,
            line.staff_member,
            line.item as fee_item,
            line.invoice_base,
            min(line.base_number) as base_number
        from intermediate.standing_lines as line
        where line.item in (select fee.item from settings.fees as fee)
        group by line.patient, line.service_date, line.staff_member, line.item, line.invoice_base
    ) as bases
),

fees as (
    select
        charged.invoice_base,
        charged.charged_on,
        missed.appointment_id,
        missed.kind,
        missed.service_date,
        cast(timezone(clock.time_zone, appointment.ends_at) as date) + 2 as unclosed_on,
        case
            when missed.kind = 'late_cancel' then cast(timezone(clock.time_zone, appointment.cancelled_at) as date)
        end as cancelled_on
    from fee_invoices
    inner join charged using (invoice_base)
    inner join intermediate.missed_appointments as missed
        on missed.patient = fee_invoices.patient
        and missed.service_date = fee_invoices.service_date
        and missed.staff_member = fee_invoices.staff_member
        and missed.fee_item = fee_invoices.fee_item
        and missed.place = fee_invoices.place
    inner join staging.appointments as appointment
        on appointment.appointment_id = missed.appointment_id
        and appointment.patient = missed.patient
    cross join staging.clock as clock
),

charges as (
    select
        visits.invoice_base,
        case
            when visits.arrived_on > visits.unclosed_on and visits.arrived_on >= visits.charged_on
                then 'visit_not_closed'
            else 'arrived_no_charge'
        end as category,
        visits.appointment_id,
        case
            when visits.arrived_on > visits.unclosed_on and visits.arrived_on >= visits.charged_on
                then visits.unclosed_on
            else greatest(visits.service_date + 2, coalesce(visits.arrived_on, visits.service_date))
        end as first_seen_on,
        visits.charged_on
    from visits
    union all
    select
        fees.invoice_base,
        case
            when fees.cancelled_on > fees.unclosed_on and fees.cancelled_on >= fees.charged_on then 'visit_not_closed'
            when fees.kind = 'no_show' then 'no_show_fee'
            else 'late_cancel_fee'
        end as category,
        fees.appointment_id,
        case
            when fees.cancelled_on > fees.unclosed_on and fees.cancelled_on >= fees.charged_on then fees.unclosed_on
            else greatest(fees.service_date + 2, coalesce(fees.cancelled_on, fees.service_date))
        end as first_seen_on,
        fees.charged_on
    from fees
)

-- What ended after midnight may have been closed and charged on the third day, before it was a leak.
select
    charges.invoice_base,
    charges.category,
    charges.appointment_id,
    charges.first_seen_on,
    charges.charged_on
from charges
where charges.first_seen_on < charges.charged_on
