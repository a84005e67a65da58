-- grain: one visit number of one series
-- key: discipline, dimension, value, visit_number
-- description: Where patients stop. stopping_share is the hazard: of the n-th visit days at least falloff_days before
--   D, those followed by a lapse, an episode's first or a later one. Beside it stands the Kaplan-Meier curve of
--   visits to the first lapse, in which an episode is censored after the last of its visits that is old enough to
--   tell; it has no value where nobody is at risk. Series are those of falloff_by_days. Episodes whose beginning is
--   unknown are left out.
with depths as (
    select
        duration.series,
        duration.due_visits,
        count(*) as episodes
    from intermediate.stop_durations as duration
    group by duration.series, duration.due_visits
),

grids as (
    select
        depths.series,
        unnest(range(1, max(depths.due_visits) + 1)) as visit_number
    from depths
    group by depths.series
),

-- Who has k visits that are old enough has each of 1 to k.
reached as (
    select
        grids.series,
        grids.visit_number,
        sum(coalesce(depths.episodes, 0)) over (
            partition by grids.series
            order by grids.visit_number desc
        ) as visits
    from grids
    left join depths
        on depths.series = grids.series
        and depths.due_visits = grids.visit_number
),

lapses as (
    select
        episode.series,
        visit.visit_number,
        count(*) as stopped
    from intermediate.due_visits as visit
    inner join intermediate.episode_series as episode using (entity)
    where visit.is_followed_by_lapse
    group by episode.series, visit.visit_number
),

estimates as (
    select
        estimate.series,
        estimate.time,
        estimate.n_risk,
        estimate.n_event,
        estimate.n_censor,
        estimate.survival,
        estimate.std_err,
        estimate.ci_low,
        estimate.ci_high
    from kaplan_meier('intermediate.stop_durations') as estimate
),

at_risk as (
    select
        grids.series,
        grids.visit_number,
        estimates.n_risk
    from grids
    asof join estimates
        on estimates.series = grids.series
        and grids.visit_number <= estimates.time
)

select
    series.discipline,
    series.dimension,
    series.value,
    reached.visit_number,
    cast(reached.visits as bigint) as visits,
    coalesce(lapses.stopped, 0) as stopped,
    coalesce(lapses.stopped, 0) / reached.visits as stopping_share,
    coalesce(at_risk.n_risk, 0) as n_risk,
    case when estimates.time = reached.visit_number then estimates.n_event else 0 end as n_event,
    case when estimates.time = reached.visit_number then estimates.n_censor else 0 end as n_censor,
    case when at_risk.n_risk > 0 then estimates.survival end as survival,
    case when at_risk.n_risk > 0 then estimates.std_err end as std_err,
    case when at_risk.n_risk > 0 then estimates.ci_low end as ci_low,
    case when at_risk.n_risk > 0 then estimates.ci_high end as ci_high,
    series.falloff_days,
    series.is_complete,
    clock.history_from,
    clock.as_of
from reached
inner join intermediate.falloff_series as series using (series)
asof join estimates
    on estimates.series = reached.series
    and reached.visit_number >= estimates.time
left join lapses
    on lapses.series = reached.series
    and lapses.visit_number = reached.visit_number
left join at_risk
    on at_risk.series = reached.series
    and at_risk.visit_number = reached.visit_number
cross join staging.clock as clock
order by series.discipline, series.dimension, series.value, reached.visit_number
