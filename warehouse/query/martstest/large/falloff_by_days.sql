-- 400 days of 96 curves: 2 definitions, all disciplines together and 5 alone, and of each the curve of all and 7 of one location each.
select
    case when i // 19200 = 0 then 'first_lapse' else 'last_visit' end as definition,
    case when i // 3200 % 6 = 0 then 'all' else 'Discipline ' || (i // 3200 % 6) end as discipline,
    case when i // 400 % 8 = 0 then 'all' else 'location' end as dimension,
    case when i // 400 % 8 = 0 then 'all' else 'Location ' || (i // 400 % 8) end as value,
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
from range(38400) as series (i)
