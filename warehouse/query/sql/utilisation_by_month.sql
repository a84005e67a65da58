-- grain: one month and staff member, or all together
select
    cast(date_trunc('month', hours.period_from) as date) as month,
    case when $split = 'staff_member' then hours.staff_member else 'All together' end as series,
    sum(hours.booked_minutes) / nullif(sum(hours.shift_minutes - hours.break_minutes), 0) as utilisation,
    sum(hours.shift_minutes - hours.break_minutes) / 60 as open_hours,
    sum(hours.booked_minutes) / 60 as booked_hours,
    sum(greatest(hours.shift_minutes - hours.break_minutes - hours.booked_minutes, 0)) / 60 as idle_hours
from staff_hours as hours
where ($staff_member = 'all' or hours.staff_member = $staff_member)
    and hours.period_to >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and hours.period_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
group by month, series
