-- grain: one thing that will cost money unless somebody acts: first what can still be met, the soonest
--   first, then what is past, the latest first
select
    warning.days_left,
    warning.due_on,
    case warning.kind || ' ' || warning.reason
        when 'filing_limit_risk near' then 'Filing limit is near'
        when 'filing_limit_risk past' then 'Filing limit is past'
        when 'policy_running_out ending' then 'Policy is ending'
        when 'policy_running_out treatments' then 'Policy runs out of treatments'
        when 'policy_running_out maximum' then 'Policy reaches its maximum'
        else replace(warning.kind, '_', ' ') || ': ' || warning.reason
    end as title,
    warning.amount_cents,
    case
        when warning.kind = 'policy_running_out' then 'Ask for an extension or the new policy before the next visit'
        when warning.days_left < 0 then 'Ask the insurer to take it late, or give it up'
        else 'Submit the claim, or correct and resubmit it'
    end as remedy,
    warning.payer,
    warning.patient,
    warning.source_id,
    warning.service_date,
    warning.staff_member,
    warning.location,
    warning.bookings_uncovered,
    warning.kind
from billing_warnings as warning
where ($kind = 'all' or warning.kind = $kind)
    and ($payer = 'all' or warning.payer = $payer)
order by
    warning.days_left < 0,
    abs(warning.days_left),
    warning.amount_cents desc nulls last,
    warning.kind,
    warning.source_id,
    warning.patient,
    warning.payer
limit $limit
