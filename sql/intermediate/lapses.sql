-- grain: one episode whose beginning is known
-- key: entity
-- description: Days from an episode's first visit to its first lapse (event), or to its censoring.
select
    lapse.entity,
    lapse.time,
    lapse.event
from first_lapse('intermediate.episode_gaps', 'intermediate.observations') as lapse
