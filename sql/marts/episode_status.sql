-- grain: one patient in one discipline, by the current episode
-- key: patient, discipline
-- description: Status at D of each patient's current episode in each discipline: finished, active, at_risk or
--   fallen_off.
select
    state.patient,
    state.discipline,
    state.episode_id,
    state.episode_number,
    state.beginning,
    state.status,
    state.first_on,
    state.last_on,
    state.visit_days,
    state.days_since,
    state.usual_gap_days,
    state.next_booking_on,
    state.is_reconstructed,
    clock.as_of
from intermediate.episode_states as state
cross join staging.clock as clock
order by state.patient, state.discipline
