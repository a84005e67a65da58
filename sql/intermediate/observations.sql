-- grain: one episode whose beginning is known
-- key: entity
-- description: Episodes as the falloff macros take them: who is watched, from when, until when, and after how many
--   days without visit and booking they have lapsed.
select
    episode.episode_id as entity,
    episode.discipline,
    strftime(episode.first_on, '%Y-%m') as cohort,
    episode.first_on,
    episode.observed_until,
    episode.falloff_days
from intermediate.episodes as episode
where episode.beginning <> 'unknown'
