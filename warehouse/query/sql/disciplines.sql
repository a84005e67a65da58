-- grain: one discipline, and all of them together
select
    'All disciplines' as text,
    'all' as value
union all
select distinct
    listed.value as text,
    listed.value
from list_value as listed
where listed.list = 'discipline' and listed.value not in ('all', '')
