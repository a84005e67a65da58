-- grain: one value of the dimension; a cohort month that is too young to tell is left out
select
    case
        when $dimension = 'discipline' then summary.discipline
        when $dimension in ('payer_kind', 'beginning') then in_words(summary.value)
        else summary.value
    end as value,
    summary.episodes,
    summary.lapsed,
    summary.median_visits,
    summary.median_days,
    summary.median_days_low,
    summary.median_days_high,
    summary.conversion_share,
    summary.rebooked_share,
    summary.reactivations
from falloff_summary as summary
where summary.is_complete
    and case $dimension
        when 'discipline' then summary.dimension = 'all' and summary.discipline <> 'all'
        else summary.dimension = $dimension and summary.discipline = $discipline
    end
