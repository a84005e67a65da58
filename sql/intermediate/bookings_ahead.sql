-- grain: one booking after D
-- key: none
-- description: Bookings ahead as the status macro takes them: the series is the discipline, the entity the patient.
select
    appointment.discipline as series,
    appointment.patient as entity,
    appointment.service_date as booked_for
from staging.appointments as appointment
cross join staging.clock as clock
where appointment.state = 'booked'
    and appointment.service_date > clock.as_of
