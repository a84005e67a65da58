-- grain: one insurance policy of one patient
-- key: patient, payer_id, policy_id
-- description: Policies as last seen. Their state has no dates but the End Date, so it is today's at any D.
select
    policy.patient,
    policy.payer_id,
    policy.policy_id,
    policy.end_date as ends_on,
    policy.treatments_used,
    policy.max_treatments,
    policy.policy_maximum_cents,
    policy.observed_on
from lake.policies as policy
