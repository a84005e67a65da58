-- grain: one service month and term of the money identity
with terms (place, term, title) as (
    values
    (1, 'collected', 'Collected'),
    (2, 'adjusted', 'Adjusted'),
    (3, 'leaked', 'Leaked'),
    (4, 'not_yet_due', 'Not yet due'),
    (5, 'unreconciled', 'Unreconciled')
)

select
    money.month_from as month,
    terms.place,
    terms.title as series,
    case terms.term
        when 'collected' then money.collected_cents
        when 'adjusted' then money.adjusted_cents
        when 'leaked' then money.leaked_cents
        when 'not_yet_due' then money.not_yet_due_cents
        else money.unreconciled_cents
    end as amount_cents,
    money.expected_cents
from money_identity as money
cross join terms
where ($term = 'all' or terms.term = $term)
    and last_day(money.month_from) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and money.month_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
