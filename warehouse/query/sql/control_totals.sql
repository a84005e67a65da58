-- grain: one month of the portal's own totals
select
    control.period_from as month,
    control.period_to,
    control.portal_cents,
    control.ours_cents,
    control.difference_cents,
    control.change_cents,
    control.arithmetic_cents,
    abs(control.difference_cents) / nullif(abs(control.portal_cents), 0) as difference_share
from control_totals as control
where control.period_to >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and control.period_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
