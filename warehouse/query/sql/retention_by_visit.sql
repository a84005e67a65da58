-- grain: one discipline, or practitioner of the first visit, and visit number
select
    case
        when $group = 'staff_member' then stop.value
        when stop.discipline = 'all' then 'All disciplines'
        else stop.discipline
    end as series,
    stop.visit_number,
    stop.visits,
    stop.stopped,
    stop.stopping_share,
    stop.falloff_days
from falloff_by_visit as stop
where stop.visit_number <= $visits
    and case $group
        when 'discipline' then stop.discipline <> 'all' and stop.dimension = 'all'
        when 'staff_member' then stop.discipline = $discipline and stop.dimension = 'staff_member'
        else stop.discipline = $discipline and stop.dimension = 'all'
    end
