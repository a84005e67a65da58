-- grain: one standing insurer invoice of a patient who has a policy with that insurer
-- key: invoice_number
-- description: Which treatment on the policy the invoice is, and how much had been billed to the insurer with it,
--   against the policy in force on the day (of several the one that ends last). Treatments are numbered in the
--   order of day and invoice so that the last one that the policy's own count has seen gets that count; a count
--   that is missing or too small starts the numbering at 1.
with billed as (
    select
        invoice.invoice_number,
        invoice.patient,
        invoice.payer_id,
        invoice.service_date,
        row_number() over so_far as treatment,
        cast(sum(invoice.total_cents) over so_far as bigint) as billed_cents
    from intermediate.invoices as invoice
    where invoice.side = 'insurer'
    window so_far as (
        partition by invoice.patient, invoice.payer_id
        order by invoice.service_date, invoice.base_number, invoice.invoice_base, invoice.invoice_sequence
        rows unbounded preceding
    )
),

cover as (
    select
        billed.invoice_number,
        policy.policy_id,
        policy.max_treatments,
        policy.policy_maximum_cents,
        row_number() over (
            partition by billed.invoice_number
            order by policy.ends_on desc nulls first, policy.policy_id
        ) as place
    from billed
    inner join staging.policies as policy
        on policy.patient = billed.patient
        and policy.payer_id = billed.payer_id
        and (policy.ends_on is null or policy.ends_on >= billed.service_date)
)

select
    billed.invoice_number,
    billed.treatment
    + coalesce(earlier.treatments, 0) as treatment,
    cover.max_treatments,
    billed.billed_cents,
    cover.policy_maximum_cents
from billed
inner join cover
    on cover.invoice_number = billed.invoice_number
    and cover.place = 1
left join intermediate.earlier_treatments as earlier
    on earlier.patient = billed.patient
    and earlier.payer_id = billed.payer_id
    and earlier.policy_id = cover.policy_id
