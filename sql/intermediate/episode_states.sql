-- grain: one patient in one discipline
-- key: patient, discipline
-- description: A patient's current episode with what its status rests on: days since the last visit day, the usual
--   gap (the discipline's where the episode has one visit day), the next booking in the discipline, and the status:
--   finished where the source says so, else by visits and bookings. It is reconstructed where a change without a
--   date, seen only after D, could make it another: the patient in no list of unscheduled patients any more, a
--   booking that is archived.
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
    case when not finished.is_reconstructed then 'finished' else state.status end as status,
    coalesce(finished.is_reconstructed, false) as may_have_finished,
    coalesce(finished.is_reconstructed, false)
    or (
        vanished.patient is not null
        and state.status <> 'active'
        and coalesce(finished.is_reconstructed, true)
    ) as is_reconstructed
from visit_status(
    'intermediate.attendance', 'intermediate.bookings_ahead', (select clock.as_of from staging.clock as clock)
) as state
inner join intermediate.episodes as episode
    on episode.discipline = state.series
    and episode.patient = state.entity
    and episode.episode_number = state.episode_number
left join intermediate.finished as finished on finished.patient = state.entity
left join staging.vanished_bookings as vanished
    on vanished.patient = state.entity
    and vanished.discipline = state.series
