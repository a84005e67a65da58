-- grain: one row
-- meaning: what leaks in all, by how sure it is; estimates are beside the sum and never in it
select
    coalesce(sum(leak.amount_cents) filter (where leak.certainty in ('firm', 'likely')), 0) as amount_cents,
    count(*) filter (where leak.certainty in ('firm', 'likely')) as leaks,
    count(distinct leak.patient) filter (where leak.certainty in ('firm', 'likely')) as patients,
    coalesce(sum(leak.amount_cents) filter (where leak.certainty = 'firm'), 0) as firm_cents,
    coalesce(sum(leak.amount_cents) filter (where leak.certainty = 'likely'), 0) as likely_cents,
    coalesce(sum(leak.amount_cents) filter (where leak.certainty = 'estimate'), 0) as estimate_cents,
    any_value(snapshot.as_of) as as_of
from snapshot
left join leak_ledger as leak on true
