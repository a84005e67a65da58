-- grain: one visit: an arrived appointment of one patient
-- key: appointment_id, patient
-- description: Visits with their place among the visits of the same patient, day, staff member and item.
select
    appointment.appointment_id,
    appointment.patient,
    appointment.location,
    appointment.staff_member,
    appointment.item,
    appointment.discipline,
    appointment.service_date,
    appointment.starts_at,
    appointment.is_first_visit,
    row_number() over (
        partition by
            appointment.patient, appointment.service_date, appointment.staff_member, appointment.item
        order by appointment.starts_at, appointment.appointment_id
    ) as place
from staging.appointments as appointment
where appointment.state = 'arrived'
