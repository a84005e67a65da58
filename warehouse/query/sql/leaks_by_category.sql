-- grain: one category that has leaks
with counted as (
    select
        leak.category,
        sum(leak.leaks) as leaks,
        sum(leak.amount_cents) as amount_cents,
        min(leak.oldest_on) as oldest_on
    from leak_counted as leak
    where is_as_sure(leak.certainty, $certainty)
    group by leak.category
)

select
    counted.category,
    coalesce(kind.title, counted.category) as title,
    counted.leaks,
    counted.amount_cents,
    counted.amount_cents / sum(counted.amount_cents) over () as share,
    counted.oldest_on,
    kind.remedy
from counted
left join leak_category as kind using (category)
