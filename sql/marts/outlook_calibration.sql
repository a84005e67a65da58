-- grain: one discipline, rule and tenth of the patients by what the rule said 90 days before D
-- key: discipline, rule, tenth
-- description: Whether expected visits come: what was predicted for the last 90 days by what was known before, and what
--   was observed, by tenths from the lowest score. Rule p_alive is scored by expected visits, over all patients with a
--   score, a booking ahead counting as alive; rule days_over_gap predicts no number and is over patients who had no
--   booking ahead.
select
    tenth.discipline,
    tenth.rule,
    tenth.tenth,
    tenth.patients,
    tenth.booked,
    tenth.score_from,
    tenth.score_to,
    tenth.predicted_alive_share,
    tenth.predicted_seen_share,
    tenth.seen,
    tenth.seen / tenth.patients as seen_share,
    tenth.predicted_visits,
    tenth.observed_visits,
    clock.as_of - 89 as holdout_from,
    clock.as_of
from intermediate.holdout_tenths as tenth
cross join staging.clock as clock
order by tenth.discipline, tenth.rule, tenth.tenth
