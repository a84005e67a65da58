-- grain: one staff member or one weekday
-- meaning: hours that are free in the hours reported for single days; a period of several days has no weekday
select
    case $split
        when 'weekday'
            then ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][isodow(hours.period_from)]
        else hours.staff_member
    end as value,
    min(case when $split = 'weekday' then isodow(hours.period_from) else 0 end) as place,
    sum(greatest(hours.shift_minutes - hours.break_minutes - hours.booked_minutes, 0)) / 60 as idle_hours,
    sum(hours.booked_minutes) / 60 as booked_hours,
    sum(hours.shift_minutes - hours.break_minutes) / 60 as open_hours,
    sum(hours.booked_minutes) / nullif(sum(hours.shift_minutes - hours.break_minutes), 0) as utilisation
from staff_hours as hours
where ($split <> 'weekday' or hours.period_from = hours.period_to)
    and ($staff_member = 'all' or hours.staff_member = $staff_member)
    and hours.period_to >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and hours.period_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
group by value
