-- grain: one state, also where no leak has it
with states (place, state, title) as (
    values
    (1, 'open', 'Open'),
    (2, 'assigned', 'Assigned'),
    (3, 'contacted', 'Contacted'),
    (4, 'recovered', 'Recovered'),
    (5, 'written_off', 'Written off'),
    (6, 'expired', 'Expired')
),

counted as (
    select
        leak.state,
        sum(leak.leaks) as leaks,
        sum(leak.amount_cents) as amount_cents,
        min(leak.oldest_on) as oldest_on
    from leak_counted as leak
    where is_as_sure(leak.certainty, $certainty)
    group by leak.state
)

select
    states.place,
    states.state,
    states.title,
    coalesce(counted.leaks, 0) as leaks,
    coalesce(counted.amount_cents, 0) as amount_cents,
    counted.oldest_on
from states
left join counted using (state)
