-- facts: one patient with a visit by D, with the discipline ('several' where there is more than one) and the status of
--   the whole patient; what is expected to be lost is in thousandths of a visit
select
    patient.patient,
    0 as others,
    patient.status,
    case when count(*) = 1 then min(outlook.discipline) else 'several' end as discipline,
    1 as patients,
    cast(round(1000 * coalesce(sum(outlook.expected_visits_lost), 0)) as bigint) as visits_lost_thousandths
from patient_status as patient
inner join patient_outlook as outlook using (patient)
group by patient.patient, patient.status
