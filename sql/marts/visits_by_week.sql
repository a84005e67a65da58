-- grain: one week, state, discipline, location and staff member
-- key: week_from, state, discipline, location, staff_member
-- description: Patients' appointments by the week of their day and their state at D, weeks as the clinic counts
--   them. A week is complete when its last day is over at D.
with weeks as (
    select
        appointment.service_date
        - cast((7 + isodow(appointment.service_date) - 1 - clock.week_starts_after) % 7 as integer) as week_from,
        appointment.state,
        appointment.discipline,
        appointment.location,
        appointment.staff_member,
        appointment.patient
    from staging.appointments as appointment
    cross join staging.clock as clock
)

select
    weeks.week_from,
    weeks.state,
    weeks.discipline,
    weeks.location,
    weeks.staff_member,
    count(*) as appointments,
    count(distinct weeks.patient) as patients,
    weeks.week_from + 6 <= min(clock.as_of) as is_complete,
    min(clock.as_of) as as_of
from weeks
cross join staging.clock as clock
group by weeks.week_from, weeks.state, weeks.discipline, weeks.location, weeks.staff_member
order by weeks.week_from, weeks.state, weeks.discipline, weeks.location, weeks.staff_member
