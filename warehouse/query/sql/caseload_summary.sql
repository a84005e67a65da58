-- grain: one status, also where nobody has it
-- meaning: each patient once, by the discipline in which they are the most engaged
with statuses (place, status, title) as (
    values
    (1, 'active', 'Active'),
    (2, 'at_risk', 'At risk'),
    (3, 'fallen_off', 'Fallen off'),
    (4, 'finished', 'Finished')
),

people as (
    select
        seen.patient,
        min(statuses.place) as place,
        max(seen.next_booking_on) as next_booking_on
    from caseload as seen
    inner join statuses using (status)
    where ($discipline = 'all' or seen.discipline = $discipline)
        and ($staff_member = 'all' or seen.staff_member = $staff_member)
    group by seen.patient
)

select
    statuses.place,
    statuses.status,
    statuses.title,
    count(people.patient) as patients,
    count(people.patient) / nullif(sum(count(people.patient)) over (), 0) as share,
    count(people.patient) filter (where people.next_booking_on is null) as nothing_booked
from statuses
left join people using (place)
group by statuses.place, statuses.status, statuses.title
