-- engagement_gaps(engagements, observations): where an entity was neither seen nor expected.
--
-- engagements names a table (entity, begins_on date, ends_on date, is_visit boolean): a visit begins and ends on its
-- day, one row a visit day; a booking begins on the day it was made and ends on the day it ceased to stand.
-- observations names a table (entity, first_on date, observed_until date): one row an entity.
--
-- Result: entity, visit_number (visit days up to here), visit_on (the last of them), reached_on (the last day of any engagement so far), resumes_on
-- (the day of the next engagement, or the end of observation), gap_days between the two (0 or less where engagements
-- touch), is_last (nothing came after). Engagements outside the observation are cut to it.
create or replace macro engagement_gaps(engagements, observations) as table
with clipped as (
    select
        engagement.entity,
        greatest(engagement.begins_on, observation.first_on) as begins_on,
        least(engagement.ends_on, observation.observed_until) as ends_on,
        engagement.is_visit,
        observation.observed_until
    from query_table(engagements) as engagement
    inner join query_table(observations) as observation using (entity)
    where engagement.ends_on >= observation.first_on
        and engagement.begins_on <= observation.observed_until
),

reaches as (
    select
        entity,
        observed_until,
        count(*) filter (where is_visit) over so_far as visit_number,
        max(begins_on) filter (where is_visit) over so_far as visit_on,
        max(ends_on) over so_far as reached_on,
        lead(begins_on) over so_far as next_on
    from clipped
    window so_far as (partition by entity order by begins_on, ends_on, is_visit rows unbounded preceding)
)

select
    entity,
    visit_number,
    visit_on,
    reached_on,
    coalesce(next_on, observed_until) as resumes_on,
    coalesce(next_on, observed_until) - reached_on as gap_days,
    next_on is null as is_last
from reaches;
