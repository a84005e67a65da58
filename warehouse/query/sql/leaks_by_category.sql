-- grain: one category that has leaks
select
    leak.category,
    coalesce(any_value(kind.title), leak.category) as title,
    count(*) as leaks,
    sum(leak.amount_cents) as amount_cents,
    sum(leak.amount_cents) / sum(sum(leak.amount_cents)) over () as share,
    min(leak.occurred_on) as oldest_on,
    any_value(kind.remedy) as remedy
from leak_ledger as leak
left join leak_category as kind using (category)
where case $certainty
    when 'owed' then leak.certainty in ('firm', 'likely')
    when 'all' then true
    else leak.certainty = $certainty
end
group by leak.category
