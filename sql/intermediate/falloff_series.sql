-- grain: one series of episodes
-- key: discipline, dimension, value
-- description: The series there are. A cohort month is complete when its last day is at least falloff_days before D;
--   what is split by no month is not incomplete. Where disciplines differ in falloff_days, the longest counts.
with episodes as (
    select
        episode.series,
        max(episode.falloff_days) as falloff_days,
        max(last_day(episode.first_on)) as month_ends_on
    from intermediate.episode_series as episode
    group by episode.series
)

select
    episodes.series.discipline as discipline,
    episodes.series.dimension as dimension,
    episodes.series.value as value,
    episodes.series,
    cast(episodes.falloff_days as bigint) as falloff_days,
    episodes.series.dimension <> 'cohort_month'
    or episodes.month_ends_on + episodes.falloff_days <= clock.as_of as is_complete
from episodes
cross join staging.clock as clock
