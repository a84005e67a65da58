-- grain: one patient in one discipline, whom to call first on top
-- meaning: the places of patient_outlook among those who are asked for. Who saw the patient last is empty where that was
--   somebody outside the caseload that the rows are narrowed to.
with listed as (
    -- who saw the patient last is looked up only for those who can come on the list
    select outlook.*
    from patient_outlook as outlook
    where outlook.list_rank is not null
        and ($discipline = 'all' or outlook.discipline = $discipline)
        and ($status = 'all' or outlook.status = $status)
    order by outlook.list_rank
    limit case when $staff_member = 'all' then $limit end
),

last_seen as (
    select
        seen.patient,
        seen.discipline,
        min(seen.staff_member) as staff_member
    from caseload as seen
    where seen.is_latest
        and seen.patient in (select listed.patient from listed)
    group by seen.patient, seen.discipline
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
    last_seen.staff_member,
    outlook.last_on,
    outlook.days_since,
    outlook.usual_gap_days,
    outlook.visit_days,
    outlook.chance_there,
    outlook.expected_visits_lost
from listed as outlook
left join last_seen on last_seen.patient = outlook.patient and last_seen.discipline = outlook.discipline
where $staff_member = 'all' or last_seen.staff_member = $staff_member
order by outlook.list_rank
limit $limit
