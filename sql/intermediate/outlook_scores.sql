-- grain: one patient in one discipline at D, and 90 days before, by the episode that was current
-- key: series, entity
-- description: Probability that the episode's patient comes again, and visits expected in 90 days, bookings aside;
--   episodes of disciplines without parameters are left out.
select
    score.series,
    score.entity,
    score.x,
    score.t_x,
    score.t,
    score.p_alive,
    score.expected_if_alive,
    score.seen_if_alive
from alive('intermediate.outlook_histories', 'intermediate.outlook_parameters', 90 / cast(7 as double)) as score
