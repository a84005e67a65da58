-- grain: one discipline and rule (p_alive, days_over_gap)
-- key: discipline, rule
-- description: How well a rule told, 90 days before D, who would be seen since: of all pairs of a patient who was and
--   one who was not, the share in which the rule puts the first before the second, ties counting half. Patients who had
--   a booking ahead are left out: they are on no list. Empty where there is no such pair.
with scores as (
    select
        outlook.discipline,
        'p_alive' as rule,
        outlook.p_alive as score,
        outlook.was_seen
    from intermediate.holdout_outlook as outlook
    where not outlook.has_booking
        and outlook.p_alive is not null
    union all
    select
        outlook.discipline,
        'days_over_gap' as rule,
        -outlook.days_over_gap as score,
        outlook.was_seen
    from intermediate.holdout_outlook as outlook
    where not outlook.has_booking
),

steps as (
    select
        scores.discipline,
        scores.rule,
        scores.score,
        count(*) filter (where scores.was_seen) as seen,
        count(*) filter (where not scores.was_seen) as unseen
    from scores
    group by scores.discipline, scores.rule, scores.score
),

placed as (
    select
        steps.discipline,
        steps.rule,
        steps.seen,
        steps.unseen,
        sum(steps.unseen) over (
            partition by steps.discipline, steps.rule
            order by steps.score
            rows unbounded preceding
        ) - steps.unseen as unseen_below
    from steps
),

pairs as (
    select
        placed.discipline,
        placed.rule,
        cast(sum(placed.seen) as bigint) as seen,
        cast(sum(placed.unseen) as bigint) as unseen,
        -- Twice the pairs, so that half a pair is a whole number.
        sum(placed.seen * (2 * placed.unseen_below + placed.unseen)) as doubled
    from placed
    group by placed.discipline, placed.rule
)

select
    pairs.discipline,
    pairs.rule,
    pairs.seen,
    pairs.unseen,
    case
        when pairs.seen > 0 and pairs.unseen > 0
            then pairs.doubled / (2 * cast(pairs.seen as double) * pairs.unseen)
    end as concordance
from pairs
