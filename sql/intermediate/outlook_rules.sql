-- grain: one discipline with a visit
-- key: discipline
-- description: Which rule the work list of a discipline is ranked by, and why: the one that ranked better in the last
--   90 days; P(alive) where both ranked alike or the days do not tell; the plain rule where P(alive) has no parameters.
with ranks as (
    select
        ranking.discipline,
        max(ranking.seen) as seen,
        max(ranking.unseen) as unseen,
        max(ranking.concordance) filter (where ranking.rule = 'p_alive') as concordance_p_alive,
        max(ranking.concordance) filter (where ranking.rule = 'days_over_gap') as concordance_days_over_gap
    from intermediate.holdout_rankings as ranking
    group by ranking.discipline
),

-- How many of a tenth by the plain rule came again, and to which value the tenth reaches.
tenths as (
    select
        tenth.discipline,
        list(tenth.score_to order by tenth.tenth) as bounds,
        list(tenth.seen / tenth.patients order by tenth.tenth) as shares
    from intermediate.holdout_tenths as tenth
    where tenth.rule = 'days_over_gap'
    group by tenth.discipline
)

select
    outlook.discipline,
    ranks.seen,
    ranks.unseen,
    ranks.concordance_p_alive,
    ranks.concordance_days_over_gap,
    case
        when outlook.r is null then 'days_over_gap'
        when ranks.concordance_days_over_gap > ranks.concordance_p_alive then 'days_over_gap'
        else 'p_alive'
    end as ranked_by,
    case
        when outlook.r is null then 'P(alive) has no parameters'
        when ranks.concordance_p_alive is null then 'the last 90 days do not tell'
        when ranks.concordance_days_over_gap > ranks.concordance_p_alive then 'it ranked better in the last 90 days'
        when ranks.concordance_days_over_gap = ranks.concordance_p_alive then 'both ranked alike in the last 90 days'
        else 'it ranked better in the last 90 days'
    end as ranked_because,
    tenths.bounds,
    tenths.shares
from fitted.outlook as outlook
left join ranks using (discipline)
left join tenths using (discipline)
where outlook.purpose = 'now'
