-- first_lapse(gaps, observations): days from an entity's first visit to its first lapse, or to its censoring.
--
-- gaps names a table as engagement_gaps gives it. observations names a table (entity, first_on date, observed_until
-- date, falloff_days integer). A lapse is the first gap of more than falloff_days; it is timed falloff_days after the
-- gap's start. Without one the entity is censored at the end of observation.
--
-- Result: entity, time (whole days), event.
create or replace macro first_lapse(gaps, observations) as table
with lapses as (
    select
        gap.entity,
        min(gap.reached_on) as gap_began_on
    from query_table(gaps) as gap
    inner join query_table(observations) as observation using (entity)
    where gap.gap_days > observation.falloff_days
    group by gap.entity
)

select
    observation.entity,
    coalesce(
        lapse.gap_began_on - observation.first_on + observation.falloff_days,
        observation.observed_until - observation.first_on
    ) as time,
    lapse.gap_began_on is not null as event
from query_table(observations) as observation
left join lapses as lapse using (entity);
