-- Physiotherapy: five episodes. One lapses on day 42, one is censored on day 60, one lapses on day 70, two are censored
-- on day 100. S(42) = 4/5, S(70) = 4/5 * 2/3 = 8/15. Massage: two episodes, both lapse on day 42.
-- The curve of all seven (a split by location has other numbers, and is in the answer by location alone): S(42) = 4/7, S(70) = 4/7 * 2/3 = 8/21.
select
    'first_lapse' as definition,
    discipline,
    case value when 'all' then 'all' when 'Main' then 'location' when 'Robin Mercer' then 'staff_member' else 'cohort_month' end as dimension,
    value,
    time::bigint as time,
    n_risk::bigint as n_risk,
    n_event::bigint as n_event,
    n_censor::bigint as n_censor,
    survival::double as survival,
    0.1::double as std_err,
    ci_low::double as ci_low,
    ci_high::double as ci_high,
    42::bigint as falloff_days,
    is_complete,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('Physiotherapy', 'all', 0, 5, 0, 0, 1.0, null, null, true),
    ('Physiotherapy', 'all', 42, 5, 1, 0, 0.8, 0.2, 0.97, true),
    ('Physiotherapy', 'all', 60, 4, 0, 1, 0.8, 0.2, 0.97, true),
    ('Physiotherapy', 'all', 70, 3, 1, 0, 8 / 15.0, 0.07, 0.85, true),
    ('Physiotherapy', 'all', 100, 2, 0, 2, 8 / 15.0, 0.07, 0.85, true),
    ('Massage', 'all', 0, 2, 0, 0, 1.0, null, null, true),
    ('Massage', 'all', 42, 2, 2, 0, 0.0, null, null, true),
    ('all', 'all', 0, 7, 0, 0, 1.0, null, null, true),
    ('all', 'all', 42, 7, 3, 0, 4 / 7.0, 0.17, 0.84, true),
    ('all', 'all', 60, 4, 0, 1, 4 / 7.0, 0.17, 0.84, true),
    ('all', 'all', 70, 3, 1, 0, 8 / 21.0, 0.05, 0.71, true),
    ('all', 'all', 100, 2, 0, 2, 8 / 21.0, 0.05, 0.71, true),
    ('all', '2026-03', 0, 4, 0, 0, 1.0, null, null, true),
    ('all', '2026-03', 42, 4, 2, 2, 0.5, 0.06, 0.84, true),
    ('all', '2026-09', 0, 3, 0, 3, 1.0, null, null, false),
    ('all', 'Robin Mercer', 0, 4, 0, 0, 1.0, null, null, true),
    ('all', 'Robin Mercer', 42, 4, 1, 3, 0.75, 0.13, 0.96, true),
    ('all', 'Main', 0, 7, 0, 0, 1.0, null, null, true),
    ('all', 'Main', 7, 7, 7, 0, 0.0, null, null, true),
    ('Massage', 'Main', 7, 2, 2, 0, 0.0, null, null, true)
) as curve (discipline, value, time, n_risk, n_event, n_censor, survival, ci_low, ci_high, is_complete)
