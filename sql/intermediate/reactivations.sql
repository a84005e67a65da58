-- grain: one visit of an episode that a fallen-off spell and another visit followed
-- key: entity, visit_number
-- description: Visits after a spell in which the patient's status in the discipline was fallen_off, by the episode
--   that the spell was in: the last day without a booking ahead was that long after the visit. The usual gap is the
--   median of the episode up to the visit; after one visit it is the discipline's, as it is at D.
with discipline_gaps as (
    select
        day.discipline,
        median(day.gap_days) as gap_days
    from intermediate.visit_days as day
    group by day.discipline
),

pauses as (
    select
        gap.entity,
        gap.visit_number,
        min(gap.visit_on) as visit_on,
        max(gap.resumes_on) - 1 as bare_until
    from intermediate.episode_gaps as gap
    where gap.gap_days > 0
    group by gap.entity, gap.visit_number
    having max(gap.resumes_on) - 1 - min(gap.visit_on) >= 42
),

returns as (
    select
        pauses.entity,
        pauses.visit_number,
        pauses.bare_until - pauses.visit_on as days_away,
        coalesce(
            median(day.gap_days) filter (
                where day.episode_number = episode.episode_number and day.visit_on <= pauses.visit_on
            ),
            max(discipline_gaps.gap_days),
            14.0
        ) as usual_gap_days,
        min(day.visit_on) filter (where day.visit_on > pauses.visit_on) as reactivated_on
    from pauses
    inner join intermediate.episodes as episode on episode.episode_id = pauses.entity
    inner join intermediate.visit_days as day using (patient, discipline)
    inner join discipline_gaps on discipline_gaps.discipline = episode.discipline
    where pauses.visit_number < episode.visit_days
        or not episode.is_current
    group by pauses.entity, pauses.visit_number, pauses.bare_until, pauses.visit_on
)

select
    returns.entity,
    returns.visit_number,
    returns.reactivated_on,
    returns.days_away,
    returns.usual_gap_days
from returns
where returns.days_away > least(180, greatest(14, 1.5 * returns.usual_gap_days))
    and returns.days_away >= least(180, greatest(42, 2 * returns.usual_gap_days))
