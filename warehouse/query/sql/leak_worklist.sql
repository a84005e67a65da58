-- grain: one leak: the largest first, the oldest first among equals
-- meaning: the ledger lies in this order, so that the first rows are those that are wanted
with chosen as (
    select leak.*
    from leak_ledger as leak
    where is_as_sure(leak.certainty, $certainty)
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
    limit $limit
)

select
    chosen.occurred_on,
    coalesce(kind.title, chosen.category) as title,
    chosen.amount_cents,
    in_words(chosen.state) as state,
    chosen.age_days,
    kind.remedy,
    chosen.payer,
    chosen.patient,
    chosen.staff_member,
    chosen.location,
    chosen.item,
    evidence_of(
        chosen.claim_folder, chosen.claim_sent_on, chosen.claim_answered_on, chosen.policy_ended_on, chosen.invoice_date,
        chosen.amount_basis
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
