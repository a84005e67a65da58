-- Three active, none at risk, one fallen off, one finished.
select
    patient,
    status,
    1::bigint as disciplines,
    visit_days::bigint as visit_days,
    last_on::date as last_on,
    date '2026-09-30' - last_on::date as days_since,
    null::date as next_booking_on,
    false as is_reconstructed,
    date '2026-09-30' as as_of
from (
    values
    ('p1_aaa', 'active', 9, '2026-09-24'),
    ('p1_bbb', 'active', 4, '2026-09-28'),
    ('p1_ccc', 'active', 2, '2026-09-22'),
    ('p1_ddd', 'fallen_off', 6, '2026-04-02'),
    ('p1_eee', 'finished', 5, '2026-09-10')
) as patient (patient, status, visit_days, last_on)
