-- grain: one discipline, rule and tenth of the patients by what the rule said 90 days before D
-- key: discipline, rule, tenth
-- description: What was to be expected in the last 90 days, and what came, by tenths: of the visits expected (rule
--   p_alive; all patients with a score), of days since the last visit ÷ usual gap (rule days_over_gap; patients who
--   had no booking ahead). Sums are in the order of their terms, so that the same rows give the same digits.
with scores as (
    select
        outlook.discipline,
        'p_alive' as rule,
        outlook.p_alive * outlook.expected_if_alive as score,
        outlook.episode_id,
        outlook.p_alive,
        outlook.p_alive * outlook.expected_if_alive as expected,
        outlook.p_alive * outlook.seen_if_alive as p_seen,
        outlook.has_booking,
        outlook.was_seen,
        outlook.visits
    from intermediate.holdout_outlook as outlook
    where outlook.expected_if_alive is not null
    union all
    select
        outlook.discipline,
        'days_over_gap' as rule,
        outlook.days_over_gap as score,
        outlook.episode_id,
        null as p_alive,
        null as expected,
        null as p_seen,
        outlook.has_booking,
        outlook.was_seen,
        outlook.visits
    from intermediate.holdout_outlook as outlook
    where not outlook.has_booking
),

placed as (
    select
        scores.*,
        ntile(10) over (
            partition by scores.discipline, scores.rule
            order by scores.score, scores.episode_id
        ) as tenth
    from scores
)

select
    placed.discipline,
    placed.rule,
    placed.tenth,
    count(*) as patients,
    count(*) filter (where placed.has_booking) as booked,
    min(placed.score) as score_from,
    max(placed.score) as score_to,
    sum(placed.p_alive order by placed.p_alive) / count(*) as predicted_alive_share,
    sum(placed.p_seen order by placed.p_seen) / count(*) as predicted_seen_share,
    count(*) filter (where placed.was_seen) as seen,
    sum(placed.expected order by placed.expected) as predicted_visits,
    cast(sum(placed.visits) as bigint) as observed_visits
from placed
group by placed.discipline, placed.rule, placed.tenth
