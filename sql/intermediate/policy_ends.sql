-- grain: one patient with one insurer whose policies all have an End Date
-- key: patient, payer_id
-- description: The last day on which a policy with the insurer covers the patient.
select
    policy.patient,
    policy.payer_id,
    max(policy.ends_on) as last_ends_on
from staging.policies as policy
group by policy.patient, policy.payer_id
having count(*) = count(policy.ends_on)
