-- One filing limit is past, one is near; one policy has too few treatments left.
select
    kind,
    reason,
    source_id,
    patient,
    payer,
    date '2026-09-30' + days_left::integer as due_on,
    days_left::bigint as days_left,
    amount_cents::bigint as amount_cents,
    service_date::date as service_date,
    case when service_date is not null then 'Robin Mercer' end as staff_member,
    case when service_date is not null then 'Harbour Street' end as location,
    null::varchar as claim_folder,
    365::bigint as limit_days,
    false as is_default_limit,
    null::bigint as used_treatments,
    null::bigint as max_treatments,
    null::bigint as used_cents,
    null::bigint as policy_maximum_cents,
    bookings_uncovered::bigint as bookings_ahead,
    bookings_uncovered::bigint as bookings_uncovered,
    'CAD' as currency,
    date '2026-09-30' as as_of
from (
    values
    ('filing_limit_risk', 'past', '1201-C01', 'p1_aaa', 'Sun Life', -3, 9000, '2025-09-27', null),
    ('filing_limit_risk', 'near', '1210-C01', 'p1_bbb', 'Green Shield', 5, 7000, '2025-10-05', null),
    ('policy_running_out', 'treatments', 'y1_zzz', 'p1_ccc', 'Sun Life', 12, null, null, 2)
) as warning (kind, reason, source_id, patient, payer, days_left, amount_cents, service_date, bookings_uncovered)
