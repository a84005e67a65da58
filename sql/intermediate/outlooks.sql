-- grain: one patient in one discipline with a visit by D
-- key: patient, discipline
-- description: What is to be expected of a patient in the 90 days after D. expected_if_stayed is of one who is still
--   there, a booking ahead makes p_alive 1. chance_there is p_alive, or where the plain rule ranks better the share who
--   came among the patients of the same tenth 90 days ago.
with scored as (
    select
        state.patient,
        state.discipline,
        state.episode_id,
        state.beginning,
        state.status,
        state.first_on,
        state.last_on,
        state.visit_days,
        state.days_since,
        state.usual_gap_days,
        state.days_since / state.usual_gap_days as days_over_gap,
        state.next_booking_on,
        history.x,
        history.t_x,
        history.t,
        case when state.next_booking_on is not null then 1 else score.p_alive end as p_alive,
        score.expected_if_alive as expected_if_stayed,
        rule.ranked_by,
        rule.bounds,
        rule.shares
    from intermediate.episode_states as state
    inner join intermediate.outlook_rules as rule using (discipline)
    inner join intermediate.outlook_histories as history
        on history.series = 'now/' || state.discipline
        and history.entity = state.episode_id
    left join intermediate.outlook_scores as score
        on score.series = 'now/' || state.discipline
        and score.entity = state.episode_id
)

select
    scored.patient,
    scored.discipline,
    scored.episode_id,
    scored.beginning,
    scored.status,
    scored.first_on,
    scored.last_on,
    scored.visit_days,
    scored.days_since,
    scored.usual_gap_days,
    scored.days_over_gap,
    scored.next_booking_on,
    scored.x,
    scored.t_x,
    scored.t,
    scored.p_alive,
    scored.expected_if_stayed,
    scored.ranked_by,
    case
        when scored.next_booking_on is not null then 1
        when scored.ranked_by = 'p_alive' then scored.p_alive
        else scored.shares[least(
            1 + len(list_filter(scored.bounds, lambda bound: bound < scored.days_over_gap)), len(scored.shares)
        )]
    end as chance_there
from scored
