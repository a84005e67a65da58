-- grain: one episode whose beginning is known
-- key: entity
-- description: The last day of an episode, as the macro of the definition last_visit takes visit days.
select
    episode.episode_id as entity,
    episode.last_on as visit_on
from intermediate.episodes as episode
where episode.beginning <> 'unknown'
