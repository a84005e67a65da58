-- grain: one insurer, all months together
select
    payer.payer,
    payer.claims_sent,
    payer.claims_answered,
    payer.claims_rejected,
    payer.rejection_rate,
    payer.median_days_to_pay,
    payer.p90_days_to_pay,
    payer.short_payments,
    payer.short_cents,
    payer.open_invoices,
    payer.open_cents,
    payer.oldest_open_on
from payer_performance as payer
where payer.sent_month = 'all' and ($payer = 'all' or payer.payer = $payer)
