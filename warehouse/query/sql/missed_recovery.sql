-- grain: one month that is old enough to tell, and kind of missed appointment
select
    cast(missed.month || '-01' as date) as month,
    case missed.kind
        when 'no_show' then 'After a no-show'
        when 'cancellation' then 'After a cancellation'
        else missed.kind
    end as series,
    missed.missed,
    missed.due_30 as due,
    missed.recovered_30 as recovered,
    missed.recovered_share_30 as recovered_share,
    missed.recovered_share_14
from missed_recovery as missed
where missed.month <> 'all'
    and missed.kind <> 'all'
    and missed.is_complete
    and missed.discipline = $discipline
    and last_day(cast(missed.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(missed.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
