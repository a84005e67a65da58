-- grain: one policy with a maximum of treatments, of which some were used that no invoice shows
-- key: patient, payer_id, policy_id
-- description: How many treatments more the policy's own count has than the invoices that stood when it was seen,
--   whatever D is: those before the history. A count that is missing or too small has none.
with seen_invoices as (
    -- What stood on the day the policy was seen, whatever D is: its count speaks of that day.
    select
        policy.patient,
        policy.payer_id,
        policy.policy_id,
        line.invoice_base,
        max(line.invoice_sequence) filter (where not line.is_reversal) as standing_sequence,
        max(line.invoice_sequence) filter (where line.is_reversal) as reversed_sequence,
        max(line.invoice_sequence) filter (where line.is_prepay) as prepaid_sequence
    from staging.policies as policy
    inner join staging.invoice_lines as line
        on line.patient = policy.patient
        and line.payer_id = policy.payer_id
        and line.invoice_date <= policy.observed_on
    where line.side = 'insurer'
        and policy.max_treatments is not null
    group by policy.patient, policy.payer_id, policy.policy_id, line.invoice_base
),

seen_treatments as (
    select
        seen_invoices.patient,
        seen_invoices.payer_id,
        seen_invoices.policy_id,
        count(*) as treatments
    from seen_invoices
    where coalesce(seen_invoices.standing_sequence > seen_invoices.reversed_sequence, true)
        and coalesce(seen_invoices.standing_sequence > seen_invoices.prepaid_sequence, true)
    group by seen_invoices.patient, seen_invoices.payer_id, seen_invoices.policy_id
)

select
    policy.patient,
    policy.payer_id,
    policy.policy_id,
    policy.treatments_used - coalesce(seen_treatments.treatments, 0) as treatments
from staging.policies as policy
left join seen_treatments
    on seen_treatments.patient = policy.patient
    and seen_treatments.payer_id = policy.payer_id
    and seen_treatments.policy_id = policy.policy_id
where policy.treatments_used > coalesce(seen_treatments.treatments, 0)
    and policy.max_treatments is not null
