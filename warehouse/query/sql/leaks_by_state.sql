-- grain: one state, also where no leak has it
with states (place, state, title) as (
    values
    (1, 'open', 'Open'),
    (2, 'assigned', 'Assigned'),
    (3, 'contacted', 'Contacted'),
    (4, 'recovered', 'Recovered'),
    (5, 'written_off', 'Written off'),
    (6, 'expired', 'Expired')
)

select
    states.place,
    states.state,
    states.title,
    count(leak.leak_id) as leaks,
    coalesce(sum(leak.amount_cents), 0) as amount_cents,
    min(leak.occurred_on) as oldest_on
from states
left join leak_ledger as leak
    on leak.state = states.state
    and case $certainty
        when 'owed' then leak.certainty in ('firm', 'likely')
        when 'all' then true
        else leak.certainty = $certainty
    end
group by states.place, states.state, states.title
