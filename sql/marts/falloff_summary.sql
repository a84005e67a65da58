-- grain: one series of episodes
-- key: discipline, dimension, value
-- description: The curves of falloff_by_days (first_lapse) and falloff_by_visit in one row each: the median is the
--   first time at which the curve is at or below one half, its interval where the limits are; empty where they never
--   are. Conversion: of first visits at least falloff_days before D, those followed by a second of the episode.
--   Rebooked: of visit days, those on which the patient left with a later booking in the discipline. Reactivations
--   are visits after a fallen-off spell.
with counts as (
    select
        episode.series,
        count(*) as episodes,
        count(*) filter (where lapse.event) as lapsed,
        count(*) filter (where measure.is_due) as first_visits,
        count(*) filter (where measure.is_due and measure.has_second_visit) as second_visits,
        cast(sum(measure.visits) as bigint) as visits,
        cast(sum(measure.rebooked) as bigint) as rebooked,
        cast(sum(measure.reactivations) as bigint) as reactivations
    from intermediate.episode_measures as measure
    inner join intermediate.lapses as lapse using (entity)
    inner join intermediate.episode_series as episode using (entity)
    group by episode.series
),

day_medians as (
    select
        curve.discipline,
        curve.dimension,
        curve.value,
        min(curve.time) filter (where curve.survival <= 0.5 + 1e-9) as median_days,
        min(curve.time) filter (where curve.ci_low <= 0.5 + 1e-9) as low,
        min(curve.time) filter (where curve.ci_high <= 0.5 + 1e-9) as high
    from marts.falloff_by_days as curve
    where curve.definition = 'first_lapse'
    group by curve.discipline, curve.dimension, curve.value
),

visit_medians as (
    select
        curve.discipline,
        curve.dimension,
        curve.value,
        min(curve.visit_number) filter (where curve.survival <= 0.5 + 1e-9) as median_visits,
        min(curve.visit_number) filter (where curve.ci_low <= 0.5 + 1e-9) as low,
        min(curve.visit_number) filter (where curve.ci_high <= 0.5 + 1e-9) as high
    from marts.falloff_by_visit as curve
    group by curve.discipline, curve.dimension, curve.value
)

select
    series.discipline,
    series.dimension,
    series.value,
    counts.episodes,
    counts.lapsed,
    day_medians.median_days,
    day_medians.low as median_days_low,
    day_medians.high as median_days_high,
    visit_medians.median_visits,
    visit_medians.low as median_visits_low,
    visit_medians.high as median_visits_high,
    counts.first_visits,
    counts.second_visits,
    counts.second_visits / nullif(counts.first_visits, 0) as conversion_share,
    counts.visits,
    counts.rebooked,
    counts.rebooked / counts.visits as rebooked_share,
    counts.reactivations,
    series.falloff_days,
    series.is_complete,
    clock.history_from,
    clock.as_of
from intermediate.falloff_series as series
inner join counts using (series)
left join day_medians using (discipline, dimension, value)
left join visit_medians using (discipline, dimension, value)
cross join staging.clock as clock
order by series.discipline, series.dimension, series.value
