-- grain: one patient in one discipline, seen 90 days before D or earlier, by the episode that was current then
-- key: patient, discipline
-- description: What was to be expected of a patient 90 days before D, by both rules, and what came: visit days in the
--   discipline since. A booking ahead made P(alive) 1. days_over_gap is days since the last visit ÷ the usual gap.
with states as (
    select
        state.series as discipline,
        state.entity as patient,
        state.days_since / state.usual_gap_days as days_over_gap,
        state.next_booking_on is not null as has_booking
    from visit_status(
        'intermediate.holdout_attendance', 'intermediate.holdout_bookings',
        (select clock.as_of - 90 from staging.clock as clock)
    ) as state
),

later as (
    select
        day.discipline,
        day.patient,
        count(*) as visits
    from intermediate.visit_days as day
    cross join staging.clock as clock
    where day.visit_on > clock.as_of - 90
    group by day.discipline, day.patient
)

select
    history.patient,
    history.discipline,
    history.episode_id,
    states.has_booking,
    case when states.has_booking then 1 else score.p_alive end as p_alive,
    score.expected_if_alive,
    score.seen_if_alive,
    states.days_over_gap,
    coalesce(later.visits, 0) as visits,
    later.visits is not null as was_seen
from intermediate.visit_histories as history
inner join states using (discipline, patient)
left join intermediate.outlook_scores as score
    on score.series = 'holdout/' || history.discipline
    and score.entity = history.episode_id
left join later
    on later.discipline = history.discipline
    and later.patient = history.patient
where history.purpose = 'holdout'
    and history.is_current
