-- Two are on the list; aaa has a booking ahead, and eee has finished.
select
    patient,
    'Physiotherapy' as discipline,
    patient || '/Physiotherapy/2026' as episode_id,
    case patient when 'p1_eee' then 'returning' else 'new' end as beginning,
    status,
    date '2026-01-05' as first_on,
    date '2026-09-30' - days_since::integer as last_on,
    visit_days::bigint as visit_days,
    days_since::bigint as days_since,
    14.0::double as usual_gap_days,
    days_since / 14.0 as days_over_gap,
    next_booking_on::date as next_booking_on,
    (visit_days - 1)::bigint as x,
    10.0::double as t_x,
    20.0::double as t,
    chance_there::double as p_alive,
    1.0::double as expected_visits,
    expected_visits_if_stayed::double as expected_visits_if_stayed,
    chance_there::double as chance_there,
    (expected_visits_if_stayed * (1 - chance_there))::double as expected_visits_lost,
    'p_alive' as ranked_by,
    list_rank::bigint as list_rank,
    date '2026-09-30' as as_of
from (
    values
    ('p1_aaa', 'active', 6, 6, '2026-10-02', 1.0, 6.0, null),
    ('p1_bbb', 'at_risk', 5, 30, null, 0.5, 6.0, 1),
    ('p1_ccc', 'fallen_off', 5, 170, null, 0.25, 2.0, 2),
    ('p1_eee', 'finished', 8, 20, null, 0.9, 1.0, null)
) as outlook (patient, status, visit_days, days_since, next_booking_on, chance_there, expected_visits_if_stayed, list_rank)
