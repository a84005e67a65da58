-- grain: one thing that somebody said of a leak
-- key: leak_id, said_at, state
-- description: What people did about leaks up to the end of D (open, assigned, contacted, recovered, written_off,
--   expired), who it was as a pseudonym, and why as a code.
select
    said.leak_id,
    said.said_at,
    cast(timezone(clock.time_zone, said.said_at) as date) as on_day,
    said.state,
    said.actor,
    said.note
from work.leak_states as said
cross join staging.clock as clock
where said.said_at < clock.over_at
