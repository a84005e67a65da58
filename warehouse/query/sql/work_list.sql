-- grain: one patient in one discipline, whom to call first on top
-- meaning: the places of patient_outlook among those who are asked for. Who saw the patient last is empty where that was
--   somebody outside the caseload that the rows are narrowed to.
with listed as (
    -- patient_outlook lies in this order, so that the first rows are those that are wanted
    select outlook.*
    from patient_outlook as outlook
    where outlook.list_rank is not null
        and ($discipline = 'all' or outlook.discipline = $discipline)
        and ($status = 'all' or outlook.status = $status)
        and ($staff_member = 'all' or outlook.last_seen_by = $staff_member)
    limit $limit
)

select
    row_number() over (order by outlook.list_rank) as place,
    outlook.patient,
    outlook.discipline,
    case outlook.status
        when 'active' then 'Active'
        when 'at_risk' then 'At risk'
        when 'fallen_off' then 'Fallen off'
        else outlook.status
    end as status,
    outlook.last_seen_by as staff_member,
    outlook.last_on,
    outlook.days_since,
    outlook.usual_gap_days,
    outlook.visit_days,
    outlook.chance_there,
    outlook.expected_visits_lost
from listed as outlook
