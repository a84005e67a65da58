-- grain: one patient in one discipline
-- key: patient, discipline
-- description: Who may have had a booking ahead at D that is archived or rescheduled now: made by D, for a day after
--   it, and seen so only after D. The portal has no date of the change, so nobody knows whether it stood at D.
select distinct
    appointment.patient,
    coalesce(item_discipline.discipline, 'Unspecified') as discipline
from lake.appointments as appointment
cross join staging.clock as clock
left join staging.item_disciplines as item_discipline on item_discipline.item = appointment.treatment
where appointment.patient is not null
    and appointment.state in ('archived', 'rescheduled')
    and appointment.service_date > clock.as_of
    and appointment.observed_on > clock.as_of
    and coalesce(appointment.booked_at < clock.over_at, true)
