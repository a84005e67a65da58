-- grain: one patient in one discipline, and a staff member who has seen them
select
    seen.patient,
    seen.discipline,
    case seen.status
        when 'active' then 'Active'
        when 'at_risk' then 'At risk'
        when 'fallen_off' then 'Fallen off'
        when 'finished' then 'Finished'
        else seen.status
    end as status,
    seen.last_on,
    seen.days_since,
    seen.usual_gap_days,
    seen.visit_days,
    seen.next_booking_on,
    seen.is_latest,
    seen.staff_member
from caseload as seen
where ($discipline = 'all' or seen.discipline = $discipline)
    and ($staff_member = 'all' or seen.staff_member = $staff_member)
    and ($status = 'all' or seen.status = $status)
    and case $bookings
        when 'ahead' then seen.next_booking_on is not null
        when 'none' then seen.next_booking_on is null
        else true
    end
order by seen.days_since desc, seen.patient, seen.discipline, seen.staff_member
limit $limit
