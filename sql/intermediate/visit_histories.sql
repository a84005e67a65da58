-- grain: one episode at D (purpose now), and one that had begun 90 days before, as it was then (holdout)
-- key: purpose, episode_id
-- description: What BG/NBD and MBG/NBD need to know of an episode: x visit days after the first, the last of them t_x
--   weeks after the first, watched for t weeks, until the day of the purpose or until the next episode began.
with spans as (
    select
        'now' as purpose,
        clock.as_of as watched_until,
        day.patient,
        day.discipline,
        day.episode_number,
        day.visit_on
    from intermediate.visit_days as day
    cross join staging.clock as clock
    union all
    select
        'holdout' as purpose,
        clock.as_of - 90 as watched_until,
        day.patient,
        day.discipline,
        day.episode_number,
        day.visit_on
    from intermediate.visit_days as day
    cross join staging.clock as clock
    where day.visit_on <= clock.as_of - 90
),

counts as (
    select
        spans.purpose,
        spans.watched_until,
        spans.patient,
        spans.discipline,
        spans.episode_number,
        count(*) as visit_days,
        max(spans.visit_on) as last_on
    from spans
    group by spans.purpose, spans.watched_until, spans.patient, spans.discipline, spans.episode_number
)

select
    counts.purpose,
    counts.discipline,
    counts.patient,
    episode.episode_id,
    episode.beginning,
    episode.is_current or episode.observed_until > counts.watched_until as is_current,
    counts.visit_days - 1 as x,
    (counts.last_on - episode.first_on) / cast(7 as double) as t_x,
    (least(episode.observed_until, counts.watched_until) - episode.first_on) / cast(7 as double) as t
from counts
inner join intermediate.episodes as episode using (patient, discipline, episode_number)
