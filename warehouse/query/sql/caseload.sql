-- grain: one patient in one discipline, and a staff member who has seen them: those to be called first
with statuses (place, status, title) as (
    values
    (1, 'at_risk', 'At risk'),
    (2, 'active', 'Active'),
    (3, 'fallen_off', 'Fallen off'),
    (4, 'finished', 'Finished')
)

select
    statuses.place,
    seen.patient,
    seen.discipline,
    statuses.title as status,
    seen.last_on,
    seen.days_since,
    seen.usual_gap_days,
    seen.visit_days,
    seen.next_booking_on,
    seen.is_latest,
    seen.staff_member
from caseload as seen
inner join statuses using (status)
where ($discipline = 'all' or seen.discipline = $discipline)
    and ($staff_member = 'all' or seen.staff_member = $staff_member)
    and ($status = 'all' or seen.status = $status)
    and case $bookings
        when 'ahead' then seen.next_booking_on is not null
        when 'none' then seen.next_booking_on is null
        else true
    end
order by statuses.place, seen.days_since, seen.patient, seen.discipline, seen.staff_member
limit $limit
