-- grain: one month in which claims were sent, and insurer, or all of them together
select
    cast(payer.sent_month || '-01' as date) as month,
    case when $split = 'payer' then payer.payer else 'All together' end as series,
    sum(payer.claims_sent) as claims_sent,
    sum(payer.claims_answered) as claims_answered,
    sum(payer.claims_rejected) as claims_rejected,
    sum(payer.claims_rejected) / nullif(sum(payer.claims_answered), 0) as rejection_rate,
    sum(payer.paid_days) / nullif(sum(payer.claims_paid), 0) as mean_days_to_pay
from payer_performance as payer
where payer.sent_month not in ('all', 'none')
    and ($payer = 'all' or payer.payer = $payer)
    and last_day(cast(payer.sent_month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(payer.sent_month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
group by month, series
