select
    'first_lapse' as definition,
    case when i // 400 = 0 then 'all' else 'Discipline ' || (i // 400) end as discipline,
    'all' as dimension,
    'all' as value,
    (i % 400)::bigint as time,
    (20000 - 40 * (i % 400))::bigint as n_risk,
    case when i % 400 >= 42 then 20 else 0 end::bigint as n_event,
    20::bigint as n_censor,
    exp(-(i % 400) / 200.0) as survival,
    0.01::double as std_err,
    exp(-(i % 400) / 190.0) as ci_low,
    exp(-(i % 400) / 210.0) as ci_high,
    42::bigint as falloff_days,
    true as is_complete,
    date '2022-10-01' as history_from,
    date '2026-09-30' as as_of
from range(2400) as series (i)
