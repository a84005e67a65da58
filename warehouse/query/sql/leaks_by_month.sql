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

open_months as (
    -- the months that the days hold whole, and what the days hold of others
    select
        leak.month,
        leak.category,
        leak.certainty,
        leak.discipline,
        leak.location,
        leak.leaks,
        leak.amount_cents
    from leak_months as leak
    where ($from::varchar is null or leak.month >= cast($from::varchar as date))
        and ($to::varchar is null or last_day(leak.month) <= cast($to::varchar as date))
    union all
    select
        leak.occurred_on - cast(day(leak.occurred_on) as integer) + 1 as month,
        leak.category,
        leak.certainty,
        leak.discipline,
        leak.location,
        count(*) as leaks,
        sum(leak.amount_cents) as amount_cents
    from leak_ledger as leak
    where leak.occurred_on >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and leak.occurred_on <= coalesce(cast($to::varchar as date), 'infinity'::date)
        and (
            $from::varchar is not null and date_trunc('month', leak.occurred_on) < cast($from::varchar as date)
            or $to::varchar is not null and last_day(leak.occurred_on) > cast($to::varchar as date)
        )
    group by month, leak.category, leak.certainty, leak.discipline, leak.location
),

leaks as (
    select
        published.month,
        published.category,
        published.certainty,
        published.discipline,
        published.location,
        published.leaks,
        published.amount_cents,
        published.restated_cents,
        true as is_closed
    from published
    where last_day(published.month) >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and published.month <= coalesce(cast($to::varchar as date), 'infinity'::date)
    union all
    select
        open_months.*,
        open_months.amount_cents as restated_cents,
        false as is_closed
    from open_months
    where open_months.category <> 'falloff'
        and open_months.month not in (select cast(figure.month || '-01' as date) from published_figures as figure)
)

select
    leak.month,
    case $split
        when 'certainty' then in_words(leak.certainty)
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
where is_as_sure(leak.certainty, $certainty)
group by leak.month, series
