-- grain: one age since the service and value of the split; falloff and idle hours have no age in this sense, and are out
with buckets (place, bucket, first_day) as (
    values
    (1, '0–30', 0),
    (2, '31–60', 31),
    (3, '61–90', 61),
    (4, '91–120', 91),
    (5, 'Over 120', 121)
),

aged as (
    select
        leak.category,
        leak.certainty,
        leak.amount_cents,
        greatest(leak.age_days, 0) as age_days
    from leak_ledger as leak
    where leak.category not in ('falloff', 'idle_capacity')
        and case $certainty
            when 'owed' then leak.certainty in ('firm', 'likely')
            when 'all' then true
            else leak.certainty = $certainty
        end
)

select
    buckets.place,
    buckets.bucket,
    case $split
        when 'certainty' then upper(aged.certainty[1]) || aged.certainty[2:]
        when 'all' then 'Leaked'
        else coalesce(kind.title, aged.category)
    end as series,
    min(kind.place) as series_place,
    sum(aged.amount_cents) as amount_cents,
    count(*) as leaks
from aged
asof join buckets on aged.age_days >= buckets.first_day
left join leak_category as kind using (category)
group by buckets.place, buckets.bucket, series
