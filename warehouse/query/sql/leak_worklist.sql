-- grain: one leak: the largest first, the oldest first among equals
with chosen as (
    select leak.*
    from leak_ledger as leak
    where case $certainty
            when 'owed' then leak.certainty in ('firm', 'likely')
            when 'all' then true
            else leak.certainty = $certainty
        end
        and case $state
            when 'unsettled' then leak.state in ('open', 'assigned', 'contacted')
            when 'all' then true
            else leak.state = $state
        end
        and ($category = 'all' or leak.category = $category)
        and ($payer = 'all' or leak.payer = $payer)
        and ($staff_member = 'all' or leak.staff_member = $staff_member)
        and ($location = 'all' or leak.location = $location)
        and ($discipline = 'all' or leak.discipline = $discipline)
        and case $assignee
            when 'all' then true
            when 'nobody' then leak.assignee is null
            else leak.assignee = $assignee
        end
        and leak.amount_cents >= $minimum * 100
    order by leak.amount_cents desc, leak.occurred_on, leak.category, leak.source_id
    limit $limit
)

select
    chosen.occurred_on,
    coalesce(kind.title, chosen.category) as title,
    chosen.amount_cents,
    upper(chosen.state[1]) || replace(chosen.state[2:], '_', ' ') as state,
    chosen.age_days,
    kind.remedy,
    chosen.payer,
    chosen.patient,
    chosen.staff_member,
    chosen.location,
    chosen.item,
    concat_ws(
        '; ',
        case when chosen.claim_folder is not null then 'claim ' || replace(chosen.claim_folder, '_', ' ') end,
        case when chosen.claim_sent_on is not null then 'sent ' || chosen.claim_sent_on end,
        case when chosen.claim_answered_on is not null then 'answered ' || chosen.claim_answered_on end,
        case when chosen.policy_ended_on is not null then 'policy ended ' || chosen.policy_ended_on end,
        case when chosen.invoice_date is not null then 'invoiced ' || chosen.invoice_date end,
        case chosen.amount_basis
            when 'price_list' then 'amount from the price list'
            when 'history' then 'amount as usual for the item'
            when 'fee_policy' then 'amount from the fee policy'
            when 'hourly_rate' then 'amount as collected a booked hour over 90 days'
        end
    ) as evidence,
    chosen.certainty,
    chosen.source_id,
    chosen.category,
    chosen.leak_id,
    chosen.state_since,
    case when chosen.state_since is not null then greatest(chosen.as_of - chosen.state_since, 0) end as state_days,
    chosen.assignee,
    chosen.last_note
from chosen
left join leak_category as kind using (category)
