-- grain: one visit day of an episode in one series (all, its discipline)
-- key: series, entity, visit_on
-- description: Visit days of episodes whose beginning is known, as the retention macro takes them.
with known_days as (
    select
        episode.discipline,
        episode.episode_id as entity,
        day.visit_on
    from intermediate.visit_days as day
    inner join intermediate.episodes as episode using (patient, discipline, episode_number)
    where episode.beginning <> 'unknown'
)

select
    known_days.discipline as series,
    known_days.entity,
    known_days.visit_on
from known_days
union all
select
    'all' as series,
    known_days.entity,
    known_days.visit_on
from known_days
