-- grain: one service month and value of the dimension that it is split by
select
    date_trunc('month', leak.occurred_on) as month,
    case $split
        when 'certainty' then upper(leak.certainty[1]) || leak.certainty[2:]
        when 'discipline' then coalesce(leak.discipline, 'Several')
        when 'location' then coalesce(leak.location, 'Several')
        when 'all' then 'Leaked'
        else coalesce(kind.title, leak.category)
    end as series,
    min(kind.place) as place,
    count(*) as leaks,
    sum(leak.amount_cents) as amount_cents
from leak_ledger as leak
left join leak_category as kind using (category)
where case $certainty
        when 'owed' then leak.certainty in ('firm', 'likely')
        when 'all' then true
        else leak.certainty = $certainty
    end
    and leak.occurred_on between
        coalesce(cast($from::varchar as date), '-infinity'::date)
        and coalesce(cast($to::varchar as date), 'infinity'::date)
group by month, series
