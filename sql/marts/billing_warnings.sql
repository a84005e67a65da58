-- grain: one thing that will cost money unless somebody acts
-- key: kind, reason, source_id, patient, payer
-- description: What is not lost yet, and in no sum. filing_limit_risk: an insurer invoice of which no claim was sent,
--   or whose claim was rejected, near (14 days or less) or past the insurer's filing limit. policy_running_out: a
--   policy that is ending in 30 days or less, or whose treatments or maximum the bookings ahead fill up; source_id is
--   the policy then.
with warnings as (
    select
        'filing_limit_risk' as kind,
        case when risk.limit_on < clock.as_of then 'past' else 'near' end as reason,
        risk.invoice_number as source_id,
        risk.patient,
        risk.payer,
        risk.limit_on as due_on,
        risk.open_cents as amount_cents,
        risk.currency,
        risk.service_date,
        risk.staff_member,
        risk.location,
        risk.folder as claim_folder,
        risk.limit_days,
        risk.is_default as is_default_limit,
        null as used_treatments,
        null as max_treatments,
        null as used_cents,
        null as policy_maximum_cents,
        null as bookings_ahead,
        null as bookings_uncovered
    from intermediate.filing_risks as risk
    cross join staging.clock as clock
    union all
    select
        'policy_running_out' as kind,
        warning.reason,
        warning.policy_id as source_id,
        warning.patient,
        warning.payer,
        warning.due_on,
        null as amount_cents,
        clock.currency,
        null as service_date,
        null as staff_member,
        null as location,
        null as claim_folder,
        null as limit_days,
        null as is_default_limit,
        warning.used_treatments,
        warning.max_treatments,
        warning.used_cents,
        warning.policy_maximum_cents,
        warning.bookings_ahead,
        warning.bookings_uncovered
    from intermediate.policy_warnings as warning
    cross join staging.clock as clock
)

select
    warnings.kind,
    warnings.reason,
    warnings.source_id,
    warnings.patient,
    warnings.payer,
    warnings.due_on,
    warnings.due_on - clock.as_of as days_left,
    warnings.amount_cents,
    warnings.service_date,
    warnings.staff_member,
    warnings.location,
    warnings.claim_folder,
    cast(warnings.limit_days as bigint) as limit_days,
    warnings.is_default_limit,
    cast(warnings.used_treatments as bigint) as used_treatments,
    cast(warnings.max_treatments as bigint) as max_treatments,
    cast(warnings.used_cents as bigint) as used_cents,
    warnings.policy_maximum_cents,
    cast(warnings.bookings_ahead as bigint) as bookings_ahead,
    cast(warnings.bookings_uncovered as bigint) as bookings_uncovered,
    warnings.currency,
    clock.as_of
from warnings
cross join staging.clock as clock
order by warnings.kind, warnings.reason, warnings.source_id, warnings.patient, warnings.payer
