-- grain: one state, also where no leak has it
with statuses (place, state, title) as (
    values
    (1, 'open', 'Open'),
    (2, 'assigned', 'Assigned'),
    (3, 'contacted', 'Contacted'),
    (4, 'recovered', 'Recovered'),
    (5, 'written_off', 'Written off'),
    (6, 'expired', 'Expired')
)

select
    statuses.place,
    statuses.state,
    statuses.title,
    case when cell.suppressed then null else coalesce(cell.leaks, 0) end as leaks,
    case when cell.suppressed then null else coalesce(cell.amount_cents, 0) end as amount_cents,
    null as oldest_on,
    coalesce(cell.suppressed, false) as withheld
from statuses
left join released.leaks_by_state as cell using (state)
