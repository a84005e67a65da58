-- grain: one patient in one discipline
-- key: patient, discipline
-- description: A patient's current episode with what its status rests on: days since the last visit day, the usual
--   gap (the discipline's where the episode has one visit day), the next booking in the discipline, and the status.
select
    episode.episode_id,
    episode.patient,
    episode.discipline,
    episode.episode_number,
    episode.beginning,
    episode.first_on,
    episode.last_on,
    episode.visit_days,
    state.days_since,
    state.usual_gap_days,
    state.next_booking_on,
    state.status
from visit_status(
    'intermediate.attendance', 'intermediate.bookings_ahead', (select clock.as_of from staging.clock as clock)
) as state
inner join intermediate.episodes as episode
    on episode.discipline = state.series
    and episode.patient = state.entity
    and episode.episode_number = state.episode_number
