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
        published.category,
        case $split
            when 'certainty' then published.certainty
            when 'discipline' then published.discipline
            when 'location' then published.location
        end as code,
        published.leaks,
        published.amount_cents,
        published.restated_cents,
        true as is_closed
    from published
    where is_as_sure(published.certainty, $certainty)
        and last_day(published.month) >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and published.month <= coalesce(cast($to::varchar as date), 'infinity'::date)
    union all
    -- added up before anything is joined: there are many leaks, and few months
    select
        leak.occurred_on - cast(day(leak.occurred_on) as integer) + 1 as month,
        leak.category,
        case $split
            when 'certainty' then leak.certainty
            when 'discipline' then leak.discipline
            when 'location' then leak.location
        end as code,
        count(*) as leaks,
        sum(leak.amount_cents) as amount_cents,
        sum(leak.amount_cents) as restated_cents,
        false as is_closed
    from leak_ledger as leak
    where leak.category <> 'falloff'
        and is_as_sure(leak.certainty, $certainty)
        and leak.occurred_on >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and leak.occurred_on <= coalesce(cast($to::varchar as date), 'infinity'::date)
    group by 1, leak.category, code
)

select
    leak.month,
    case $split
        when 'certainty' then in_words(leak.code)
        when 'discipline' then coalesce(leak.code, 'Several')
        when 'location' then coalesce(leak.code, 'Several')
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
where leak.is_closed
    or strftime(leak.month, '%Y-%m') not in (select figure.month from published_figures as figure)
group by leak.month, series
