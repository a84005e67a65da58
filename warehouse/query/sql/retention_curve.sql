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

grids as (
    select
        spans.series,
        unnest(range(0, least(spans.last_day, $days) + 1, $every_days)) as day
    from (
        select curves.series, max(curves.time) as last_day
        from curves
        group by curves.series
    ) as spans
),

remaining as (
    -- who is still observed on a grid day: n_risk of the first event time at or after it
    select
        grids.series,
        grids.day,
        curves.n_risk
    from grids
    asof join curves on curves.series = grids.series and grids.day <= curves.time
)

select
    grids.series,
    grids.day,
    curves.survival,
    curves.ci_low,
    curves.ci_high,
    remaining.n_risk
from grids
asof join curves on curves.series = grids.series and grids.day >= curves.time
inner join remaining on remaining.series = grids.series and remaining.day = grids.day
