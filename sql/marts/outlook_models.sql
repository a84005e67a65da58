-- grain: one discipline with a visit by D
-- key: discipline
-- description: The model of repeat visits that P(alive) of a discipline is from: its parameters in weeks, how they were
--   found, and how the same model did on the last 90 days, fitted to what was before, beside the plain rule days since
--   the last visit ÷ own gap. concordance is the chance that a rule ranks a patient who came above one who did not, of
--   those without a booking ahead then. ranked_by is the rule that the work list uses.
with tenths as (
    select
        tenth.discipline,
        cast(sum(tenth.patients) as bigint) as patients,
        sum(tenth.predicted_visits order by tenth.tenth) as predicted_visits,
        cast(sum(tenth.observed_visits) as bigint) as observed_visits
    from intermediate.holdout_tenths as tenth
    where tenth.rule = 'p_alive'
    group by tenth.discipline
)

select
    outlook.discipline,
    outlook.model,
    outlook.fitted_to,
    outlook.fallback,
    outlook.episodes,
    outlook.r,
    outlook.alpha,
    outlook.a,
    outlook.b,
    outlook.log_likelihood,
    outlook.evaluations,
    outlook.converged,
    outlook.limits,
    clock.as_of - 89 as holdout_from,
    holdout.fitted_to as holdout_fitted_to,
    holdout.fallback as holdout_fallback,
    tenths.patients as holdout_patients,
    tenths.predicted_visits as holdout_predicted_visits,
    tenths.observed_visits as holdout_observed_visits,
    rule.seen as holdout_ranked_seen,
    rule.unseen as holdout_ranked_unseen,
    rule.concordance_p_alive,
    rule.concordance_days_over_gap,
    rule.ranked_by,
    rule.ranked_because,
    clock.as_of
from fitted.outlook as outlook
inner join intermediate.outlook_rules as rule using (discipline)
cross join staging.clock as clock
left join fitted.outlook as holdout
    on holdout.discipline = outlook.discipline
    and holdout.purpose = 'holdout'
left join tenths on tenths.discipline = outlook.discipline
where outlook.purpose = 'now'
order by outlook.discipline
