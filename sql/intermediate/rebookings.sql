-- grain: one episode whose beginning is known
-- key: entity
-- description: On how many of an episode's visit days the patient left with a booking for a later day in the
--   discipline: made by the end of the day, also long before it, and not cancelled by then.
with reaches as (
    select
        engagement.entity,
        engagement.begins_on,
        engagement.is_visit,
        max(engagement.ends_on) filter (where not engagement.is_visit) over (
            partition by engagement.entity
            order by engagement.begins_on
        ) as booked_until
    from intermediate.engagements as engagement
)

select
    reaches.entity,
    count(*) as visits,
    count(*) filter (where reaches.booked_until > reaches.begins_on) as rebooked
from reaches
where reaches.is_visit
group by reaches.entity
