-- grain: one discipline and visit number
select
    case when stop.discipline = 'all' then 'All disciplines' else stop.discipline end as series,
    stop.visit_number,
    stop.visits,
    stop.stopped,
    stop.stopping_share,
    stop.falloff_days
from falloff_by_visit as stop
where stop.dimension = 'all'
    and stop.visit_number <= $visits
    and case $group
        when 'discipline' then stop.discipline <> 'all'
        else stop.discipline = $discipline
    end
