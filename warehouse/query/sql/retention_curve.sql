-- grain: one series and grid day
-- meaning: the Kaplan-Meier estimate read off at every grid day: what holds from the last event time at or before it.
--   A series ends with its last observation.
with curves as (
    select
        case
            when $group in ('cohort_month', 'staff_member', 'location', 'payer_kind', 'beginning') then curve.value
            when curve.discipline = 'all' then 'All disciplines'
            else curve.discipline
        end as series,
        curve.time,
        curve.survival,
        curve.ci_low,
        curve.ci_high,
        curve.n_risk
    from falloff_by_days as curve
    where curve.definition = $definition
        and case $group
            when 'discipline' then curve.discipline <> 'all' and curve.dimension = 'all'
            when 'cohort_month'
                then curve.discipline = $discipline and curve.dimension = 'cohort_month' and curve.is_complete
            when 'all' then curve.discipline = $discipline and curve.dimension = 'all'
            else curve.discipline = $discipline and curve.dimension = $group
        end
),

placed as (
    select
        curves.*,
        lead(curves.time) over series as next_time,
        lag(curves.time) over series as time_before
    from curves
    window series as (
        partition by curves.series
        order by curves.time
    )
),

estimates as (
    -- the grid days from a time up to the one after it
    select
        placed.series,
        placed.survival,
        placed.ci_low,
        placed.ci_high,
        unnest(
            range(
                (placed.time + $every_days - 1) // $every_days * $every_days,
                least(coalesce(placed.next_time, placed.time + 1), $days + 1),
                $every_days
            )
        ) as day
    from placed
),

remaining as (
    -- who is still observed on a grid day: n_risk of the first event time at or after it
    select
        placed.series,
        placed.n_risk,
        unnest(
            range(
                (coalesce(placed.time_before + 1, 0) + $every_days - 1) // $every_days * $every_days,
                least(placed.time, $days) + 1,
                $every_days
            )
        ) as day
    from placed
)

select
    estimates.series,
    estimates.day,
    estimates.survival,
    estimates.ci_low,
    estimates.ci_high,
    remaining.n_risk
from estimates
inner join remaining on remaining.series = estimates.series and remaining.day = estimates.day
