-- grain: one distinct time of one falloff curve
-- key: definition, discipline, cohort_month, time
-- description: Kaplan-Meier curves of days from an episode's first visit to its first lapse, for all episodes, by
--   discipline, by month of the first visit, and by both ('all' where not split). A cohort month is complete when
--   its last day is at least falloff_days ago. Episodes whose beginning is unknown are in no curve.
with cohorts as (
    select
        duration.series.discipline as discipline,
        duration.series.cohort_month as cohort_month,
        max(observation.falloff_days) as falloff_days,
        max(last_day(observation.first_on)) + max(observation.falloff_days) <= max(clock.as_of) as is_over
    from intermediate.lapse_durations as duration
    inner join intermediate.observations as observation using (entity)
    cross join staging.clock as clock
    group by duration.series
)

select
    'first_lapse' as definition,
    estimate.series.discipline as discipline,
    estimate.series.cohort_month as cohort_month,
    estimate.time,
    estimate.n_risk,
    estimate.n_event,
    estimate.n_censor,
    estimate.survival,
    estimate.std_err,
    estimate.ci_low,
    estimate.ci_high,
    cast(cohorts.falloff_days as bigint) as falloff_days,
    cohorts.is_over or cohorts.cohort_month = 'all' as is_complete,
    clock.history_from,
    clock.as_of
from kaplan_meier('intermediate.lapse_durations') as estimate
inner join cohorts
    on cohorts.discipline = estimate.series.discipline
    and cohorts.cohort_month = estimate.series.cohort_month
cross join staging.clock as clock
order by discipline, cohort_month, estimate.time
