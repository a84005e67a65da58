-- grain: one value of the dimension, all months that are over together
with cells as (
    select
        'All appointments' as value, 0 as place, cell.expected, cell.arrived, cell.no_shows, cell.cancelled, cell.show_share,
        cell.kept_share, cell.suppressed
    from released.appointments as cell
    where $dimension = 'all'
    union all
    select
        case cell.lead_time
            when '0' then 'Same day'
            when 'over_30' then 'Over 30 days'
            when 'unknown' then 'Not known'
            else replace(cell.lead_time, '-', '–') || ' days'
        end,
        list_position(['0', '1-3', '4-7', '8-14', '15-30', 'over_30'], cell.lead_time),
        cell.expected, cell.arrived, cell.no_shows, cell.cancelled, cell.show_share, cell.kept_share, cell.suppressed
    from released.appointments_by_lead_time as cell
    where $dimension = 'lead_time'
    union all
    select
        ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][cast(cell.weekday as integer)],
        cast(cell.weekday as integer),
        cell.expected, cell.arrived, cell.no_shows, cell.cancelled, cell.show_share, cell.kept_share, cell.suppressed
    from released.appointments_by_weekday as cell
    where $dimension = 'weekday'
    union all
    select
        lpad(cell.hour, 2, '0') || ':00', cast(cell.hour as integer),
        cell.expected, cell.arrived, cell.no_shows, cell.cancelled, cell.show_share, cell.kept_share, cell.suppressed
    from released.appointments_by_hour as cell
    where $dimension = 'hour'
)

select
    cell.value,
    cell.place,
    cell.expected,
    cell.arrived,
    cell.no_shows,
    cell.cancelled,
    null as unclosed,
    cell.show_share,
    1 - cell.show_share as no_show_share,
    cell.kept_share,
    null as median_lead_days,
    cell.suppressed as withheld
from cells as cell
