-- grain: one month in which claims were sent, and insurer
select
    cast(cell.month || '-01' as date) as month,
    cell.payer as series,
    cell.claims as claims_sent,
    cell.answered as claims_answered,
    cell.rejected as claims_rejected,
    cell.rejection_rate,
    cell.mean_days_to_pay,
    cell.suppressed as withheld
from released.claims_by_payer_month as cell
where $split = 'payer'
    and ($payer = 'all' or cell.payer = $payer)
    and last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
