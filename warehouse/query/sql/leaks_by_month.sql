-- grain: one service month and value of the dimension that it is split by
-- meaning: closed months as they were published, with what they are now beside it; all others from the ledger; without
--   falloff, which is about the days to come
with published as (
    select
        cast(figure.month || '-01' as date) as month,
        figure.category,
        figure.detail as certainty,
        nullif(figure.discipline, '') as discipline,
        nullif(figure.location, '') as location,
        sum(figure.published) filter (where figure.figure = 'leaks') as leaks,
        sum(figure.published) filter (where figure.figure = 'leaked') as amount_cents,
        sum(figure.restated) filter (where figure.figure = 'leaked') as restated_cents
    from published_figures as figure
    where figure.figure in ('leaked', 'leaks')
    group by figure.month, figure.category, figure.detail, figure.discipline, figure.location
),

leaks as (
    select
        published.month,
        published.month as first_on,
        last_day(published.month) as last_on,
        published.category,
        published.certainty,
        published.discipline,
        published.location,
        published.leaks,
        published.amount_cents,
        published.restated_cents,
        true as is_closed
    from published
    union all
    select
        date_trunc('month', leak.occurred_on) as month,
        leak.occurred_on as first_on,
        leak.occurred_on as last_on,
        leak.category,
        leak.certainty,
        leak.discipline,
        leak.location,
        1 as leaks,
        leak.amount_cents,
        leak.amount_cents as restated_cents,
        false as is_closed
    from leak_ledger as leak
    where leak.category <> 'falloff'
        and strftime(leak.occurred_on, '%Y-%m') not in (select figure.month from published_figures as figure)
)

select
    leak.month,
    case $split
        when 'certainty' then upper(leak.certainty[1]) || leak.certainty[2:]
        when 'discipline' then coalesce(leak.discipline, 'Several')
        when 'location' then coalesce(leak.location, 'Several')
        when 'all' then 'Leaked'
        else coalesce(kind.title, leak.category)
    end as series,
    min(kind.place) as place,
    sum(leak.leaks) as leaks,
    sum(leak.amount_cents) as amount_cents,
    sum(leak.restated_cents) as restated_cents,
    bool_or(leak.is_closed) as is_closed
from leaks as leak
left join leak_category as kind using (category)
where case $certainty
        when 'owed' then leak.certainty in ('firm', 'likely')
        when 'all' then true
        else leak.certainty = $certainty
    end
    and leak.last_on >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and leak.first_on <= coalesce(cast($to::varchar as date), 'infinity'::date)
group by leak.month, series
