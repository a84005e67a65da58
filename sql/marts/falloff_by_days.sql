-- grain: one distinct time of one falloff curve
-- key: definition, discipline, dimension, value, time
-- description: Kaplan-Meier curves of days from an episode's first visit to its falloff, for all and by discipline
--   ('all' where not split), each whole (dimension and value 'all') and split by one dimension: cohort_month,
--   staff_member and location of the first visit, payer_kind (insurer, person, none), beginning (new, returning). By
--   first_lapse an episode falls off falloff_days after its first gap without visit and booking began; by last_visit
--   at its last visit, bookings aside, if more than falloff_days ago. A cohort month is complete when its last day is
--   at least falloff_days ago. Episodes whose beginning is unknown are in no curve. There are two definitions times
--   (disciplines + 1) times (1 + months + practitioners + locations + 3 + 2) curves at most, and no more rows than 24
--   an episode and one a curve.
with estimates as (
    select
        'first_lapse' as definition,
        estimate.series,
        estimate.time,
        estimate.n_risk,
        estimate.n_event,
        estimate.n_censor,
        estimate.survival,
        estimate.std_err,
        estimate.ci_low,
        estimate.ci_high
    from kaplan_meier('intermediate.lapse_durations') as estimate
    union all
    select
        'last_visit' as definition,
        estimate.series,
        estimate.time,
        estimate.n_risk,
        estimate.n_event,
        estimate.n_censor,
        estimate.survival,
        estimate.std_err,
        estimate.ci_low,
        estimate.ci_high
    from kaplan_meier('intermediate.last_visit_durations') as estimate
)

select
    estimates.definition,
    series.discipline,
    series.dimension,
    series.value,
    estimates.time,
    estimates.n_risk,
    estimates.n_event,
    estimates.n_censor,
    estimates.survival,
    estimates.std_err,
    estimates.ci_low,
    estimates.ci_high,
    series.falloff_days,
    series.is_complete,
    clock.history_from,
    clock.as_of
from estimates
inner join intermediate.falloff_series as series using (series)
cross join staging.clock as clock
order by estimates.definition, series.discipline, series.dimension, series.value, estimates.time
