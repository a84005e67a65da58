-- grain: one status, also where nobody has it
with counted as (
    -- added up before anything is joined
    select
        patient.status,
        count(*) as patients
    from patient_status as patient
    where $discipline = 'all'
    group by patient.status
    union all
    select
        episode.status,
        count(*) as patients
    from episode_status as episode
    where $discipline <> 'all' and episode.discipline = $discipline
    group by episode.status
),

statuses (place, status, title) as (
    values
    (1, 'active', 'Active'),
    (2, 'at_risk', 'At risk'),
    (3, 'fallen_off', 'Fallen off'),
    (4, 'finished', 'Finished')
)

select
    statuses.place,
    statuses.status,
    statuses.title,
    coalesce(counted.patients, 0) as patients,
    coalesce(counted.patients, 0) / nullif(sum(counted.patients) over (), 0) as share
from statuses
left join counted using (status)
