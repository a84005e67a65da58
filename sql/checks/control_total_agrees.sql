-- severity: warn
-- description: What is owed by our rows stays within unreconciled_limit of the portal's own accounts receivable, at the end
--   of the newest month of which the portal's total is known.
-- remedy: Look in marts.control_totals for the month whose change is not 0, and import the sales, applied payments,
--   adjustments and write-off reports of that month again, all of one day. Balances from before the history that was
--   imported are in the portal's total alone.
select
    control.period_to,
    control.currency,
    control.portal_cents,
    control.ours_cents,
    control.difference_cents
from marts.control_totals as control
cross join settings.clinic as clinic
where abs(control.difference_cents) * 1000000 > abs(control.portal_cents) * clinic.unreconciled_per_million
    and control.period_to = (select max(newest.period_to) from marts.control_totals as newest)
order by control.period_to, control.currency
