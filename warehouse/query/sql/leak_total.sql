-- grain: one row
-- meaning: what leaks in all, by how sure it is; estimates are beside the sum and never in it
with sums as (
    select
        leak.certainty,
        sum(leak.amount_cents) as amount_cents,
        sum(leak.leaks) as leaks
    from leak_counted as leak
    group by leak.certainty
)

select
    coalesce(sum(sums.amount_cents) filter (where sums.certainty in ('firm', 'likely')), 0) as amount_cents,
    coalesce(sum(sums.leaks) filter (where sums.certainty in ('firm', 'likely')), 0) as leaks,
    any_value(leak_patients.patients) as patients,
    coalesce(sum(sums.amount_cents) filter (where sums.certainty = 'firm'), 0) as firm_cents,
    coalesce(sum(sums.amount_cents) filter (where sums.certainty = 'likely'), 0) as likely_cents,
    coalesce(sum(sums.amount_cents) filter (where sums.certainty = 'estimate'), 0) as estimate_cents,
    any_value(snapshot.as_of) as as_of
from snapshot
cross join leak_patients
left join sums on true
