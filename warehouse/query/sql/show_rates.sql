-- grain: one value of the dimension, all months together
select
    case $dimension
        when 'all' then 'All appointments'
        when 'weekday'
            then coalesce(
                ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][try_cast(rate.value as integer)], rate.value
            )
        when 'hour' then lpad(rate.value, 2, '0') || ':00'
        when 'lead_time'
            then case rate.value
                when '0' then 'Same day'
                when 'over_30' then 'Over 30 days'
                when 'unknown' then 'Not known'
                else replace(rate.value, '-', '–') || ' days'
            end
        else rate.value
    end as value,
    rate.place,
    rate.expected,
    rate.arrived,
    rate.no_shows,
    rate.cancelled,
    rate.unclosed,
    rate.show_share,
    1 - rate.show_share as no_show_share,
    rate.kept_share,
    rate.median_lead_days
from show_rates as rate
where rate.month = 'all' and rate.dimension = $dimension
