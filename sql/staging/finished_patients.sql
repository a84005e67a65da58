-- grain: one patient who had finished care when the newest list of unscheduled patients was made
-- key: patient
-- description: Who had been seen by then, and was neither in the list nor booked. A booking that was seen archived or
--   rescheduled only after it may have stood, and counts.
with patients as (
    select
        appointment.patient,
        max(appointment.service_date) filter (
            where appointment.state = 'arrived'
                and appointment.service_date <= list.seen_on
                and coalesce(appointment.arrived_at < list.over_at, true)
        ) as last_visit_on,
        bool_or(
            appointment.service_date > list.seen_on
            and coalesce(appointment.booked_at < list.over_at, true)
            and (appointment.state <> 'cancelled' or coalesce(appointment.cancelled_at >= list.over_at, true))
            and (appointment.state not in ('archived', 'rescheduled') or appointment.observed_on > list.seen_on)
        ) as is_booked
    from staging.finishing_list as list
    cross join lake.appointments as appointment
    where appointment.patient is not null
    group by appointment.patient
)

select
    patients.patient,
    list.seen_on,
    patients.last_visit_on
from patients
cross join staging.finishing_list as list
where patients.last_visit_on >= list.reaches_back_to
    and not patients.is_booked
    and not exists (
        select 1 from lake.unscheduled_patients as unscheduled
        where unscheduled.patient = patients.patient
    )
