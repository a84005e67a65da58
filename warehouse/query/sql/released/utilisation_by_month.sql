-- grain: one month that is over and staff member, or all together
with cells as (
    select cell.month, 'All together' as series, cell.utilisation, cell.open_minutes, cell.booked_minutes, cell.suppressed
    from released.appointments_by_month as cell
    where $split = 'all' and $staff_member = 'all'
    union all
    select cell.month, cell.staff_member, cell.utilisation, cell.open_minutes, cell.booked_minutes, cell.suppressed
    from released.appointments_by_month_staff_member as cell
    where $split = 'staff_member' and $staff_member = 'all' or cell.staff_member = $staff_member
)

select
    cast(cell.month || '-01' as date) as month,
    cell.series,
    cell.utilisation,
    cell.open_minutes / 60 as open_hours,
    cell.booked_minutes / 60 as booked_hours,
    null as idle_hours,
    cell.suppressed as withheld
from cells as cell
where last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
