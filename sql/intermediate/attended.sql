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
    started.local_hour,
    case
        when booked.local_on <= appointment.service_date then appointment.service_date - booked.local_on
    end as lead_days,
    cancelled.local_on as cancelled_on
from staging.appointments as appointment
cross join staging.clock as clock
left join intermediate.local_quarters as started
    on started.quarter = epoch_us(appointment.starts_at) // 900000000
left join intermediate.local_quarters as booked
    on booked.quarter = epoch_us(appointment.booked_at) // 900000000
left join intermediate.local_quarters as cancelled
    on cancelled.quarter = epoch_us(appointment.cancelled_at) // 900000000
where appointment.service_date <= clock.as_of
