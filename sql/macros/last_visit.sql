-- last_visit(visit_days, observations): days from an entity's first visit to its last, where that was long enough ago.
--
-- visit_days names a table (entity, visit_on date). observations names a table (entity, first_on date, observed_until date,
-- falloff_days integer). Who was not seen in the last falloff_days has lapsed at the last visit; everybody else is censored
-- falloff_days before the end of observation, since nobody can lapse after that. Entities first seen after that day are
-- left out.
--
-- Result: entity, time (whole days), event.
create or replace macro last_visit(visit_days, observations) as table
with spans as (
    select
        observation.entity,
        min(observation.first_on) as first_on,
        max(visit.visit_on) as last_on,
        min(observation.observed_until - observation.falloff_days) as judged_until
    from query_table(observations) as observation
    inner join query_table(visit_days) as visit
        on visit.entity = observation.entity
        and visit.visit_on between observation.first_on and observation.observed_until
    group by observation.entity
)

select
    spans.entity,
    least(spans.last_on, spans.judged_until) - spans.first_on as time,
    spans.last_on < spans.judged_until as event
from spans
where spans.first_on <= spans.judged_until;
