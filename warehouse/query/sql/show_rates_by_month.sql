-- grain: one month that is over, and value of the dimension
select
    cast(rate.month || '-01' as date) as month,
    case when $dimension = 'all' then 'All appointments' else rate.value end as series,
    rate.expected,
    rate.no_shows,
    rate.show_share,
    1 - rate.show_share as no_show_share,
    rate.kept_share
from show_rates as rate
where rate.month <> 'all'
    and rate.is_complete
    and rate.dimension = $dimension
    and last_day(cast(rate.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(rate.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
