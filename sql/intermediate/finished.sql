-- grain: one patient who has finished care at D, or may have
-- key: patient
-- description: Finished is who had finished by a list of D or before, was not seen since, and has no booking ahead.
--   A list made after D has no date for what it shows: who had finished by it, last seen by D, is reconstructed at
--   D, and keeps the status that visits and bookings give.
select
    finished.patient,
    finished.seen_on > clock.as_of as is_reconstructed
from staging.finished_patients as finished
cross join staging.clock as clock
where finished.last_visit_on <= clock.as_of
    and not exists (
        select 1 from staging.appointments as appointment
        where appointment.patient = finished.patient
            and (
                appointment.state = 'arrived' and appointment.service_date > finished.seen_on
                or appointment.state = 'booked' and appointment.service_date > clock.as_of
            )
    )
