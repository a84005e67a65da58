-- grain: one outcome and distinct time of one series
-- key: discipline, outcome, time
-- description: How many episodes have come to each of two ends by a day since the first visit, by the estimate of
--   Aalen and Johansen: finished (the source says so, on the day of the last visit) or fallen_off (first_lapse). Who
--   came to one cannot come to the other. Empty where no list of unscheduled patients by D tells them apart.
with falloff_limits as (
    select
        observation.discipline,
        max(observation.falloff_days) as falloff_days
    from intermediate.observations as observation
    group by observation.discipline
    union all
    select
        'all' as discipline,
        max(observation.falloff_days) as falloff_days
    from intermediate.observations as observation
)

select
    estimate.series as discipline,
    case estimate.cause when 1 then 'finished' else 'fallen_off' end as outcome,
    estimate.time,
    estimate.n_risk,
    estimate.n_event,
    estimate.n_censor,
    estimate.incidence,
    cast(falloff_limits.falloff_days as bigint) as falloff_days,
    clock.history_from,
    clock.as_of
from aalen_johansen('intermediate.outcome_durations') as estimate
inner join falloff_limits on falloff_limits.discipline = estimate.series
cross join staging.clock as clock
order by discipline, outcome, estimate.time
