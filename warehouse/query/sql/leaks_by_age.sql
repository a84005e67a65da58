-- grain: one age since the service and value of the split; falloff and idle hours have no age in this sense, and are out
with buckets (place, bucket) as (
    values
    (1, '0–30'),
    (2, '31–60'),
    (3, '61–90'),
    (4, '91–120'),
    (5, 'Over 120')
),

aged as (
    select
        leak.category,
        leak.certainty,
        leak.age as place,
        leak.amount_cents,
        leak.leaks
    from leak_counted as leak
    where leak.category not in ('falloff', 'idle_capacity')
        and is_as_sure(leak.certainty, $certainty)
)

select
    buckets.place,
    buckets.bucket,
    case $split
        when 'certainty' then in_words(aged.certainty)
        when 'all' then 'Leaked'
        else coalesce(kind.title, aged.category)
    end as series,
    min(kind.place) as series_place,
    sum(aged.amount_cents) as amount_cents,
    sum(aged.leaks) as leaks
from aged
inner join buckets using (place)
left join leak_category as kind using (category)
group by buckets.place, buckets.bucket, series
