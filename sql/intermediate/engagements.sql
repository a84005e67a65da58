-- grain: one visit day of an episode, or one booking that stood during it
-- key: none
-- description: When an episode's patient was seen or expected in its discipline. A booking stands from the day it
--   was made until it was cancelled, or else until its day, whatever became of it.
with bookings as (
    select
        appointment.patient,
        appointment.discipline,
        coalesce(booked.local_on, appointment.service_date) as begins_on,
        case
            when appointment.state = 'cancelled'
                then least(appointment.service_date, cancelled.local_on)
            else appointment.service_date
        end as ends_on
    from staging.appointments as appointment
    left join intermediate.local_quarters as booked
        on booked.quarter = epoch_us(appointment.booked_at) // 900000000
    left join intermediate.local_quarters as cancelled
        on cancelled.quarter = epoch_us(appointment.cancelled_at) // 900000000
)

select
    episode.episode_id as entity,
    day.visit_on as begins_on,
    day.visit_on as ends_on,
    true as is_visit
from intermediate.visit_days as day
inner join intermediate.episodes as episode using (patient, discipline, episode_number)
where episode.beginning <> 'unknown'
union all
select
    episode.episode_id as entity,
    bookings.begins_on,
    bookings.ends_on,
    false as is_visit
from bookings
inner join intermediate.episodes as episode
    on episode.patient = bookings.patient
    and episode.discipline = bookings.discipline
    and episode.first_on <= bookings.ends_on
    and episode.observed_until >= bookings.begins_on
where episode.beginning <> 'unknown'
    and bookings.begins_on <= bookings.ends_on
