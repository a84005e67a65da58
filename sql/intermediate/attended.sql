-- grain: one appointment of one patient on a day that is over at D
-- key: appointment_id, patient
-- description: Appointments with when they were (local weekday and hour), how long before they were booked
--   (lead_days: local days from the booking to the day; empty where it is not known or was entered afterwards), and
--   what came of them. Unclosed ones are still booked.
select
    appointment.appointment_id,
    appointment.patient,
    appointment.discipline,
    appointment.staff_member,
    appointment.state,
    appointment.service_date,
    cast(isodow(appointment.service_date) as bigint) as weekday,
    cast(hour(timezone(clock.time_zone, appointment.starts_at)) as bigint) as local_hour,
    case
        when cast(timezone(clock.time_zone, appointment.booked_at) as date) <= appointment.service_date
            then appointment.service_date - cast(timezone(clock.time_zone, appointment.booked_at) as date)
    end as lead_days,
    cast(timezone(clock.time_zone, appointment.cancelled_at) as date) as cancelled_on
from staging.appointments as appointment
cross join staging.clock as clock
where appointment.service_date <= clock.as_of
