-- grain: one row
-- meaning: sums over all months that are over; how sure a leak is, and how many patients there are, is not released
select
    case when total.suppressed then null else coalesce(total.amount_cents, 0) end as amount_cents,
    case when total.suppressed then null else coalesce(total.leaks, 0) end as leaks,
    null as patients,
    null as firm_cents,
    null as likely_cents,
    case when estimate.suppressed then null else coalesce(estimate.amount_cents, 0) end as estimate_cents,
    snapshot.as_of,
    coalesce(total.suppressed, false) as withheld
from snapshot
left join released.leaks as total on true
left join released.estimates as estimate on true
