-- grain: one insurer and month in which claims were sent to it
select
    cast(payer.sent_month || '-01' as date) as month,
    payer.payer as series,
    payer.claims_sent,
    payer.claims_answered,
    payer.claims_rejected,
    payer.rejection_rate,
    payer.median_days_to_pay
from payer_performance as payer
where payer.sent_month not in ('all', 'none')
    and ($payer = 'all' or payer.payer = $payer)
    and last_day(cast(payer.sent_month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(payer.sent_month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
