-- grain: one appointment of one patient (a group booking is one row for each patient named in it)
-- key: appointment_id, patient
-- description: Patients' appointments as they stood at the end of D. Breaks, empty slots, archived and rescheduled
--   rows are no patient's appointment, and what was booked after D did not exist. Arrivals, no-shows and
--   cancellations that came after D are still booked at D.
with seats as (
    select
        appointment.appointment_id,
        appointment.patient,
        appointment.location,
        appointment.staff_member,
        appointment.treatment as item,
        case
            when appointment.state in ('arrived', 'no_show') and appointment.service_date > clock.as_of then 'booked'
            when appointment.state = 'arrived' and appointment.arrived_at >= clock.over_at then 'booked'
            when appointment.state = 'cancelled' and appointment.cancelled_at >= clock.over_at then 'booked'
            else appointment.state
        end as state,
        appointment.service_date,
        appointment.starts_at,
        appointment.ends_at,
        appointment.booked_at,
        appointment.arrived_at,
        appointment.cancelled_at,
        coalesce(appointment.first_visit, false) as is_first_visit,
        row_number() over (
            partition by appointment.appointment_id, appointment.patient
            order by appointment.seat
        ) as place
    from lake.appointments as appointment
    cross join staging.clock as clock
    where appointment.patient is not null
        and appointment.state in ('booked', 'arrived', 'no_show', 'cancelled')
        and (appointment.booked_at is null or appointment.booked_at < clock.over_at)
)

select
    seats.appointment_id,
    seats.patient,
    seats.location,
    seats.staff_member,
    seats.item,
    coalesce(item_discipline.discipline, 'Unspecified') as discipline,
    seats.state,
    seats.service_date,
    seats.starts_at,
    seats.ends_at,
    seats.booked_at,
    seats.arrived_at,
    seats.cancelled_at,
    seats.is_first_visit
from seats
left join staging.item_disciplines as item_discipline using (item)
where seats.place = 1
