-- grain: one leak: the largest first, the oldest first among equals
-- meaning: the ledger lies in this order, so that the first rows are those that are wanted
with worst as (
    select
        leak.occurred_on,
        leak.category,
        leak.amount_cents,
        leak.age_days,
        leak.certainty,
        leak.source_id,
        leak.patient,
        leak.staff_member,
        leak.location,
        leak.item,
        leak.payer,
        leak.claim_folder,
        leak.claim_sent_on,
        leak.claim_answered_on,
        leak.policy_ended_on,
        leak.invoice_date,
        leak.amount_basis
    from leak_ledger as leak
    where is_as_sure(leak.certainty, $certainty)
        and ($category = 'all' or leak.category = $category)
    limit $limit
)

select
    worst.occurred_on,
    coalesce(kind.title, worst.category) as title,
    worst.amount_cents,
    worst.age_days,
    worst.certainty,
    worst.source_id,
    worst.patient,
    worst.staff_member,
    worst.location,
    worst.item,
    worst.payer,
    evidence_of(
        worst.claim_folder, worst.claim_sent_on, worst.claim_answered_on, worst.policy_ended_on, worst.invoice_date,
        worst.amount_basis
    ) as evidence,
    kind.remedy,
    worst.category
from worst
left join leak_category as kind using (category)
