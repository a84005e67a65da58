-- grain: one appointment of one patient that nobody charged for
-- key: appointment_id, patient
-- description: Appointments still booked 2 days after the local day they ended on, and visits of 2 days ago or more
--   without an invoice line.
with unclosed as (
    select
        'visit_not_closed' as category,
        appointment.appointment_id,
        appointment.patient,
        appointment.location,
        appointment.staff_member,
        appointment.item,
        appointment.discipline,
        appointment.service_date
    from staging.appointments as appointment
    cross join staging.clock as clock
    where appointment.state = 'booked'
        and appointment.service_date <= clock.as_of - 2
        and cast(timezone(clock.time_zone, appointment.ends_at) as date) <= clock.as_of - 2
),

uncharged as (
    select
        'arrived_no_charge' as category,
        visit.appointment_id,
        visit.patient,
        visit.location,
        visit.staff_member,
        visit.item,
        visit.discipline,
        visit.service_date
    from intermediate.visits as visit
    cross join staging.clock as clock
    where visit.service_date <= clock.as_of - 2
        and not exists (
            select 1
            from intermediate.visit_invoices as paired
            where paired.appointment_id = visit.appointment_id
                and paired.patient = visit.patient
        )
)

select category, appointment_id, patient, location, staff_member, item, discipline, service_date from unclosed
union all
select category, appointment_id, patient, location, staff_member, item, discipline, service_date from uncharged
