-- grain: one service month and value of the dimension that it is split by
with cells as (
    select cell.month, coalesce(kind.title, cell.category) as series, kind.place, cell.leaks, cell.amount_cents, cell.suppressed
    from released.leaks_by_month_category as cell
    left join leak_category as kind using (category)
    where $split = 'category'
    union all
    select cell.month, cell.discipline, null, cell.leaks, cell.amount_cents, cell.suppressed
    from released.leaks_by_month_discipline as cell
    where $split = 'discipline'
    union all
    select cell.month, cell.location, null, cell.leaks, cell.amount_cents, cell.suppressed
    from released.leaks_by_month_location as cell
    where $split = 'location'
    union all
    select cell.month, 'Leaked', null, cell.leaks, cell.amount_cents, cell.suppressed
    from released.leaks_by_month as cell
    where $split = 'all'
)

select
    cast(cell.month || '-01' as date) as month,
    case when cell.series = 'several' then 'Several' else cell.series end as series,
    cell.place,
    cell.leaks,
    cell.amount_cents,
    null as restated_cents,
    null as is_closed,
    cell.suppressed as withheld
from cells as cell
where last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
