-- grain: one episode in one series
-- key: entity, series
-- description: Days to the first lapse or to censoring, once for each curve that the episode is part of.
select
    lapse.entity,
    episode.series,
    lapse.time,
    lapse.event
from intermediate.lapses as lapse
inner join intermediate.episode_series as episode using (entity)
