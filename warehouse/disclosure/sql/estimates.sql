-- facts: one estimate of what was not earned, of a month that is over at D; idle hours are of no patient and not in it
select
    leak.patient,
    case when leak.patient is null then leak.patients else 0 end as others,
    strftime(leak.occurred_on, '%Y-%m') as month,
    leak.category,
    coalesce(leak.discipline, 'several') as discipline,
    1 as estimates,
    leak.amount_cents
from leak_ledger as leak
where leak.certainty = 'estimate'
    and leak.category <> 'idle_capacity'
    and last_day(leak.occurred_on) <= leak.as_of
