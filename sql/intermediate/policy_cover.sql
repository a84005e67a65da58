-- grain: one patient with one insurer, and the policy that is in force at D
-- key: patient, payer_id
-- description: What is left on the policy in force at D (of several the one that ends last): treatments and money
--   used so far, and what the insurer was billed for the last visit.
with in_force as (
    select
        policy.patient,
        policy.payer_id,
        policy.policy_id,
        policy.ends_on,
        policy.max_treatments,
        policy.policy_maximum_cents,
        row_number() over (
            partition by policy.patient, policy.payer_id
            order by policy.ends_on desc nulls first, policy.policy_id
        ) as place
    from staging.policies as policy
    cross join staging.clock as clock
    where policy.ends_on is null
        or policy.ends_on >= clock.as_of
),

billed as (
    select
        invoice.patient,
        invoice.payer_id,
        count(*) as treatments,
        sum(invoice.total_cents) as cents,
        arg_max(
            invoice.total_cents,
            {
                'day': invoice.service_date,
                'number': invoice.base_number,
                'base': invoice.invoice_base,
                'sequence': invoice.invoice_sequence
            }
        ) as last_cents
    from intermediate.invoices as invoice
    where invoice.side = 'insurer'
    group by invoice.patient, invoice.payer_id
)

select
    in_force.patient,
    in_force.payer_id,
    coalesce(insurer.name, 'other insurer') as payer,
    in_force.policy_id,
    in_force.ends_on,
    in_force.max_treatments,
    coalesce(billed.treatments, 0) + coalesce(earlier.treatments, 0) as used_treatments,
    in_force.policy_maximum_cents,
    cast(coalesce(billed.cents, 0) as bigint) as used_cents,
    coalesce(billed.last_cents, 0) as last_cents
from in_force
left join staging.insurers as insurer on insurer.payer_id = in_force.payer_id
left join billed
    on billed.patient = in_force.patient
    and billed.payer_id = in_force.payer_id
left join intermediate.earlier_treatments as earlier
    on earlier.patient = in_force.patient
    and earlier.payer_id = in_force.payer_id
    and earlier.policy_id = in_force.policy_id
where in_force.place = 1
