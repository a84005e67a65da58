-- grain: one month of the last money and who brought it in
with recoveries as (
    select
        cast(date_trunc('month', recovery.last_money_on) as date) as month,
        recovery.leak_id,
        recovery.recovered_by_us_cents as by_us_cents,
        recovery.recovered_cents - recovery.recovered_by_us_cents as by_itself_cents
    from leak_recoveries as recovery
    where ($category = 'all' or recovery.category = $category)
        and recovery.last_money_on >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and recovery.last_money_on <= coalesce(cast($to::varchar as date), 'infinity'::date)
)

select
    recoveries.month,
    1 as place,
    'By us' as series,
    sum(recoveries.by_us_cents) as amount_cents,
    count(*) filter (where recoveries.by_us_cents <> 0) as leaks
from recoveries
group by recoveries.month
union all
select
    recoveries.month,
    2 as place,
    'On its own' as series,
    sum(recoveries.by_itself_cents) as amount_cents,
    count(*) filter (where recoveries.by_itself_cents <> 0) as leaks
from recoveries
group by recoveries.month
