-- grain: one insurer
select
    cell.payer,
    cell.claims as claims_sent,
    cell.answered as claims_answered,
    cell.rejected as claims_rejected,
    cell.rejection_rate,
    null as median_days_to_pay,
    null as p90_days_to_pay,
    cell.short_payments,
    cell.short_cents,
    null as open_invoices,
    null as open_cents,
    null as oldest_open_on,
    cell.suppressed as withheld
from released.claims_by_payer as cell
where $payer = 'all' or cell.payer = $payer
