-- grain: one value of the list, and all of them together
select
    'All' as text,
    'all' as value
union all
select distinct
    listed.value as text,
    listed.value
from list_value as listed
where listed.list = $list and listed.value not in ('all', '')
union all
select
    kind.title as text,
    kind.category as value
from leak_category as kind
where $list = 'category'
