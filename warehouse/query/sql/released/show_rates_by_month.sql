-- grain: one month that is over, and value of the dimension
with cells as (
    select cell.month, 'All appointments' as series, cell.expected, cell.no_shows, cell.show_share, cell.kept_share, cell.suppressed
    from released.appointments_by_month as cell
    where $dimension = 'all'
    union all
    select cell.month, cell.staff_member, cell.expected, cell.no_shows, cell.show_share, cell.kept_share, cell.suppressed
    from released.appointments_by_month_staff_member as cell
    where $dimension = 'staff_member'
    union all
    select cell.month, cell.discipline, cell.expected, cell.no_shows, cell.show_share, cell.kept_share, cell.suppressed
    from released.appointments_by_month_discipline as cell
    where $dimension = 'discipline'
)

select
    cast(cell.month || '-01' as date) as month,
    cell.series,
    cell.expected,
    cell.no_shows,
    cell.show_share,
    1 - cell.show_share as no_show_share,
    cell.kept_share,
    cell.suppressed as withheld
from cells as cell
where last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
