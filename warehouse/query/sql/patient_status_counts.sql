-- grain: one status, also where nobody has it
with people as (
    select patient.patient, patient.status
    from patient_status as patient
    where $discipline = 'all'
    union all
    select episode.patient, episode.status
    from episode_status as episode
    where $discipline <> 'all' and episode.discipline = $discipline
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
    count(people.patient) as patients,
    count(people.patient) / nullif(sum(count(people.patient)) over (), 0) as share
from statuses
left join people using (status)
group by statuses.place, statuses.status, statuses.title
