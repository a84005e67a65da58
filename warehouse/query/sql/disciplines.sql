-- grain: one discipline that has a curve, and all of them together
select distinct
    case when stop.discipline = 'all' then 'All disciplines' else stop.discipline end as text,
    stop.discipline as value
from falloff_by_visit as stop
where stop.dimension = 'all'
