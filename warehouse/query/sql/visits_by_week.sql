-- grain: one week and value of the dimension that it is split by
with weeks as (
    select
        week.week_from,
        case $split
            when 'discipline' then week.discipline
            when 'location' then week.location
            when 'staff_member' then week.staff_member
            when 'all' then 'appointments'
            else week.state
        end as split_value,
        sum(week.appointments) as appointments,
        bool_and(week.is_complete) as is_complete
    from visits_by_week as week
    where ($state = 'all' or week.state = $state)
        and ($discipline = 'all' or week.discipline = $discipline)
        and ($staff_member = 'all' or week.staff_member = $staff_member)
        and ($location = 'all' or week.location = $location)
        and week.week_from between
            coalesce(cast($from::varchar as date) - 6, '-infinity'::date)
            and coalesce(cast($to::varchar as date), 'infinity'::date)
    group by week.week_from, split_value
)

select
    weeks.week_from,
    case
        when $split in ('state', 'all') then in_words(weeks.split_value)
        else weeks.split_value
    end as series,
    weeks.appointments,
    weeks.is_complete
from weeks
