-- grain: one patient with a visit by D
-- key: patient
-- description: A patient's status at D: finished where the source says so, else the most engaged of the current
--   episodes (active before at_risk before fallen_off); a booking ahead in any discipline makes active.
with bookings_ahead as (
    select
        appointment.patient,
        min(appointment.service_date) as next_booking_on
    from staging.appointments as appointment
    cross join staging.clock as clock
    where appointment.state = 'booked'
        and appointment.service_date > clock.as_of
    group by appointment.patient
),

vanished as (
    select distinct booking.patient
    from staging.vanished_bookings as booking
),

patients as (
    select
        state.patient,
        count(*) as disciplines,
        min(case state.status when 'active' then 1 when 'at_risk' then 2 else 3 end) as engagement,
        max(state.last_on) as last_on,
        cast(sum(state.visit_days) as bigint) as visit_days,
        bool_or(state.status = 'finished') as is_finished,
        bool_or(state.may_have_finished) as may_have_finished
    from intermediate.episode_states as state
    group by state.patient
)

select
    patients.patient,
    case
        when patients.is_finished then 'finished'
        when bookings_ahead.next_booking_on is not null or patients.engagement = 1 then 'active'
        when patients.engagement = 2 then 'at_risk'
        else 'fallen_off'
    end as status,
    patients.disciplines,
    patients.visit_days,
    patients.last_on,
    clock.as_of - patients.last_on as days_since,
    bookings_ahead.next_booking_on,
    patients.may_have_finished
    or (
        vanished.patient is not null
        and not patients.is_finished
        and bookings_ahead.next_booking_on is null
        and patients.engagement > 1
    ) as is_reconstructed,
    clock.as_of
from patients
cross join staging.clock as clock
left join bookings_ahead using (patient)
left join vanished using (patient)
order by patients.patient
