-- grain: one episode in one series
-- key: entity, series
-- description: Visits to the first lapse or to censoring, once for each curve that the episode is part of.
select
    stop.entity,
    episode.series,
    stop.time,
    stop.event,
    stop.due_visits
from intermediate.stops as stop
inner join intermediate.episode_series as episode using (entity)
