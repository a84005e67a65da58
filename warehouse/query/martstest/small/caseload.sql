-- Robin Mercer has seen aaa and bbb, Sam Okafor bbb (last) and ccc.
select
    patient,
    'Physiotherapy' as discipline,
    staff_member,
    first_on::date as first_on,
    last_on::date as last_on,
    visit_days::bigint as visit_days,
    next_booking_on::date as next_booking_on,
    is_latest,
    status,
    days_since::bigint as days_since,
    14.0::double as usual_gap_days,
    date '2026-09-30' as as_of
from (
    values
    ('p1_aaa', 'Robin Mercer', '2026-06-01', '2026-09-24', 6, '2026-10-02', true, 'active', 6),
    ('p1_bbb', 'Robin Mercer', '2026-05-04', '2026-08-03', 4, null, false, 'at_risk', 30),
    ('p1_bbb', 'Sam Okafor', '2026-08-31', '2026-08-31', 1, null, true, 'at_risk', 30),
    ('p1_ccc', 'Sam Okafor', '2026-02-02', '2026-04-13', 5, null, true, 'fallen_off', 170)
) as seen (patient, staff_member, first_on, last_on, visit_days, next_booking_on, is_latest, status, days_since)
