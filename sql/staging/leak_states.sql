-- grain: one thing that somebody said of a leak
-- key: leak_id, sequence
-- description: What people said of leaks up to the end of D (open, assigned, contacted, written_off, expired), in the
--   order in which it was taken down, who it was as a pseudonym, whose task it is, and why as a code.
select
    said.leak_id,
    said.sequence,
    said.said_at,
    cast(timezone(clock.time_zone, said.said_at) as date) as on_day,
    said.state,
    said.actor,
    said.assignee,
    said.note
from lake.leak_states as said
cross join staging.clock as clock
where said.said_at < clock.over_at
