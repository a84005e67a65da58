-- facts: one thing that will cost money unless somebody acts
select
    warning.patient,
    0 as others,
    warning.kind || ': ' || warning.reason as warning,
    coalesce(warning.payer, 'unknown') as payer,
    1 as warnings,
    coalesce(warning.amount_cents, 0) as amount_cents
from billing_warnings as warning
