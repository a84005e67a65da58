-- grain: one episode whose beginning is known
-- key: entity
-- description: What is counted of an episode by D: whether its first visit is old enough to tell and was followed by a
--   second, visits and how many of them ended with a booking ahead, visits after a fallen-off spell.
with returns as (
    select
        reactivation.entity,
        count(*) as reactivations
    from intermediate.reactivations as reactivation
    group by reactivation.entity
)

select
    episode.episode_id as entity,
    episode.first_on <= clock.as_of - episode.falloff_days as is_due,
    episode.visit_days > 1 as has_second_visit,
    rebooking.visits,
    rebooking.rebooked,
    coalesce(returns.reactivations, 0) as reactivations
from intermediate.episodes as episode
inner join intermediate.rebookings as rebooking on rebooking.entity = episode.episode_id
left join returns on returns.entity = episode.episode_id
cross join staging.clock as clock
