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
        policy.treatments_used,
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
),

seen_invoices as (
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
    billed.invoice_number,
    billed.treatment
    + greatest(coalesce(cover.treatments_used, 0) - coalesce(seen_treatments.treatments, 0), 0) as treatment,
    cover.max_treatments,
    billed.billed_cents,
    cover.policy_maximum_cents
from billed
inner join cover
    on cover.invoice_number = billed.invoice_number
    and cover.place = 1
left join seen_treatments
    on seen_treatments.patient = billed.patient
    and seen_treatments.payer_id = billed.payer_id
    and seen_treatments.policy_id = cover.policy_id
