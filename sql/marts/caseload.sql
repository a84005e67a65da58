-- grain: one patient in one discipline, and a staff member who has seen them
-- key: patient, discipline, staff_member
-- description: Who has seen whom: the visits of a patient with each staff member, and how the patient stands at D. A
--   practitioner's own caseload is what is here under their name.
with seen as (
    select
        visit.patient,
        visit.discipline,
        visit.staff_member,
        min(visit.service_date) as first_on,
        max(visit.service_date) as last_on,
        count(distinct visit.service_date) as visit_days
    from intermediate.visits as visit
    group by visit.patient, visit.discipline, visit.staff_member
),

booked as (
    select
        appointment.patient,
        appointment.discipline,
        appointment.staff_member,
        min(appointment.service_date) as next_booking_on
    from staging.appointments as appointment
    cross join staging.clock as clock
    where appointment.state = 'booked'
        and appointment.service_date > clock.as_of
    group by appointment.patient, appointment.discipline, appointment.staff_member
)

select
    seen.patient,
    seen.discipline,
    seen.staff_member,
    seen.first_on,
    seen.last_on,
    seen.visit_days,
    booked.next_booking_on,
    coalesce(seen.last_on = state.last_on, false) as is_latest,
    state.status,
    state.days_since,
    state.usual_gap_days,
    clock.as_of
from seen
cross join staging.clock as clock
inner join intermediate.episode_states as state
    on state.patient = seen.patient
    and state.discipline = seen.discipline
left join booked
    on booked.patient = seen.patient
    and booked.discipline = seen.discipline
    and booked.staff_member = seen.staff_member
order by seen.patient, seen.discipline, seen.staff_member
