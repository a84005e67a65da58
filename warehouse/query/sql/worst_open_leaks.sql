-- grain: one leak: the largest first, the oldest first among equals
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
    where case $certainty
            when 'owed' then leak.certainty in ('firm', 'likely')
            when 'all' then true
            else leak.certainty = $certainty
        end
        and ($category = 'all' or leak.category = $category)
    order by leak.amount_cents desc, leak.occurred_on, leak.category, leak.source_id
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
    concat_ws(
        '; ',
        case when worst.claim_folder is not null then 'claim ' || replace(worst.claim_folder, '_', ' ') end,
        case when worst.claim_sent_on is not null then 'sent ' || worst.claim_sent_on end,
        case when worst.claim_answered_on is not null then 'answered ' || worst.claim_answered_on end,
        case when worst.policy_ended_on is not null then 'policy ended ' || worst.policy_ended_on end,
        case when worst.invoice_date is not null then 'invoiced ' || worst.invoice_date end,
        case when worst.amount_basis = 'price_list' then 'amount from the price list' end,
        case when worst.amount_basis = 'history' then 'amount as usual for the item' end,
        case when worst.amount_basis = 'fee_policy' then 'amount from the fee policy' end,
        case when worst.amount_basis = 'hourly_rate' then 'amount as collected a booked hour over 90 days' end
    ) as evidence,
    kind.remedy,
    worst.category
from worst
left join leak_category as kind using (category)
