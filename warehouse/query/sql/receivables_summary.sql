-- grain: one side, and both together
with sides (place, side, title) as (
    values
    (1, 'all', 'All together'),
    (2, 'insurer', 'Insurers'),
    (3, 'patient', 'Patients')
)

select
    sides.place,
    sides.title,
    summary.open_cents,
    summary.open_invoices,
    summary.on_account_cents,
    summary.overpaid_cents,
    summary.net_cents,
    summary.charged_cents,
    summary.charge_days,
    summary.days_in_receivables
from receivables_summary as summary
inner join sides using (side)
where $side = 'every' or summary.side = $side
