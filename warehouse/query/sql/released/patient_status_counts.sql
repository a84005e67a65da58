-- grain: one status, also where nobody has it
with statuses (place, status, title) as (
    values
    (1, 'active', 'Active'),
    (2, 'at_risk', 'At risk'),
    (3, 'fallen_off', 'Fallen off'),
    (4, 'finished', 'Finished')
),

people as (
    select
        statuses.place,
        statuses.status,
        statuses.title,
        case when cell.suppressed then null else coalesce(cell.patients, 0) end as patients,
        coalesce(cell.suppressed, false) as withheld
    from statuses
    left join released.patients_by_status as cell using (status)
)

select
    people.place,
    people.status,
    people.title,
    people.patients,
    case when bool_or(people.withheld) over () then null else people.patients / nullif(sum(people.patients) over (), 0) end as share,
    people.withheld
from people
