-- grain: one episode in one series
-- key: entity, series
-- description: Days to the last visit where it is more than falloff_days before the end of observation, else to
--   falloff_days before that end (censored), once for each curve. Who began later than that is left out.
select
    lapse.entity,
    episode.series,
    lapse.time,
    lapse.event
from last_visit('intermediate.last_visits', 'intermediate.observations') as lapse
inner join intermediate.episode_series as episode using (entity)
