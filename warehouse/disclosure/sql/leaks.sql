-- facts: one leak that is money owed, of a service in a month that is over at D; a group's patients are others
select
    leak.patient,
    case when leak.patient is null then leak.patients else 0 end as others,
    strftime(leak.occurred_on, '%Y-%m') as month,
    leak.category,
    coalesce(leak.discipline, 'several') as discipline,
    coalesce(leak.location, 'several') as location,
    coalesce(leak.staff_member, 'several') as staff_member,
    leak.state,
    1 as leaks,
    leak.amount_cents
from leak_ledger as leak
where leak.certainty <> 'estimate'
    and last_day(leak.occurred_on) <= leak.as_of
