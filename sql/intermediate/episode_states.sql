-- grain: one patient in one discipline
-- key: patient, discipline
-- description: A patient's current episode with what its status rests on: days since the last visit day, the usual
--   gap (the discipline's where the episode has one visit day), the next booking in the discipline, and the status.
with discipline_gaps as (
    select
        day.discipline,
        median(day.gap_days) as median_gap_days
    from intermediate.visit_days as day
    group by day.discipline
),

bookings_ahead as (
    select
        appointment.patient,
        appointment.discipline,
        min(appointment.service_date) as next_booking_on
    from staging.appointments as appointment
    cross join staging.clock as clock
    where appointment.state = 'booked'
        and appointment.service_date > clock.as_of
    group by appointment.patient, appointment.discipline
),

paces as (
    select
        episode.episode_id,
        episode.patient,
        episode.discipline,
        episode.episode_number,
        episode.beginning,
        episode.first_on,
        episode.last_on,
        episode.visit_days,
        clock.as_of - episode.last_on as days_since,
        coalesce(episode.median_gap_days, discipline_gaps.median_gap_days, 14.0) as usual_gap_days,
        bookings_ahead.next_booking_on
    from intermediate.episodes as episode
    cross join staging.clock as clock
    left join discipline_gaps using (discipline)
    left join bookings_ahead using (patient, discipline)
    where episode.is_current
)

select
    paces.episode_id,
    paces.patient,
    paces.discipline,
    paces.episode_number,
    paces.beginning,
    paces.first_on,
    paces.last_on,
    paces.visit_days,
    paces.days_since,
    paces.usual_gap_days,
    paces.next_booking_on,
    case
        when paces.next_booking_on is not null then 'active'
        when paces.days_since <= least(180, greatest(14, 1.5 * paces.usual_gap_days)) then 'active'
        when paces.days_since < least(180, greatest(42, 2 * paces.usual_gap_days)) then 'at_risk'
        else 'fallen_off'
    end as status
from paces
