-- Ten episodes: two have finished by day 30, one has fallen off by day 42, another by day 70; the last is seen to day 80.
select
    discipline,
    outcome,
    time::bigint as time,
    n_risk::bigint as n_risk,
    n_event::bigint as n_event,
    0::bigint as n_censor,
    incidence::double as incidence,
    42::bigint as falloff_days,
    date '2025-01-01' as history_from,
    date '2026-09-30' as as_of
from (
    values
    ('all', 'finished', 30, 10, 2, 0.2), ('all', 'finished', 80, 6, 0, 0.2),
    ('all', 'fallen_off', 42, 8, 1, 0.1), ('all', 'fallen_off', 70, 7, 1, 0.2),
    ('Massage', 'fallen_off', 42, 2, 2, 1.0)
) as outcome (discipline, outcome, time, n_risk, n_event, incidence)
