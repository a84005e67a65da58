-- grain: one month of the first money and who brought it in
with cells as (
    select cell.month, cell.recovered_cents, cell.recovered_by_us_cents, cell.suppressed
    from released.recoveries_by_month as cell
    where $category = 'all'
    union all
    select cell.month, cell.recovered_cents, cell.recovered_by_us_cents, cell.suppressed
    from released.recoveries_by_month_category as cell
    where cell.category = $category
)

select
    cast(cell.month || '-01' as date) as month,
    who.place,
    who.title as series,
    case who.place
        when 1 then cell.recovered_by_us_cents
        else cell.recovered_cents - cell.recovered_by_us_cents
    end as amount_cents,
    null as leaks,
    cell.suppressed as withheld
from cells as cell
cross join (values (1, 'By us'), (2, 'On its own')) as who (place, title)
where last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
