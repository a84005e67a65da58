select
    patient,
    discipline,
    patient || '/' || discipline as episode_id,
    1::bigint as episode_number,
    'new' as beginning,
    status,
    date '2026-01-05' as first_on,
    last_on::date as last_on,
    4::bigint as visit_days,
    date '2026-09-30' - last_on::date as days_since,
    7.0::double as usual_gap_days,
    null::date as next_booking_on,
    false as is_reconstructed,
    date '2026-09-30' as as_of
from (
    values
    ('p1_aaa', 'Physiotherapy', 'active', '2026-09-24'),
    ('p1_bbb', 'Massage', 'active', '2026-09-28'),
    ('p1_ccc', 'Massage', 'at_risk', '2026-08-30'),
    ('p1_ddd', 'Massage', 'fallen_off', '2026-04-02'),
    ('p1_eee', 'Physiotherapy', 'finished', '2026-09-10')
) as episode (patient, discipline, status, last_on)
