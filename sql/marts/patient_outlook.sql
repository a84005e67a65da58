-- grain: one patient in one discipline with a visit by D, by the current episode
-- key: patient, discipline
-- description: Whether a patient comes again, and what is lost if not: P(alive) and visits expected in the 90 days
--   after D by the discipline's model of repeat visits (outlook_models), empty where it has no parameters. A booking
--   ahead counts as alive. expected_visits_lost is what was to be expected had the patient stayed, less what is to be
--   expected by the rule that ranks better (ranked_by); list_rank begins with the largest, patients with a booking
--   ahead and those who have finished have none.
select
    outlook.patient,
    outlook.discipline,
    outlook.episode_id,
    outlook.beginning,
    outlook.status,
    outlook.first_on,
    outlook.last_on,
    outlook.visit_days,
    outlook.days_since,
    outlook.usual_gap_days,
    outlook.days_over_gap,
    outlook.next_booking_on,
    outlook.x,
    outlook.t_x,
    outlook.t,
    outlook.p_alive,
    outlook.p_alive * outlook.expected_if_stayed as expected_visits,
    outlook.expected_if_stayed as expected_visits_if_stayed,
    outlook.chance_there,
    outlook.expected_if_stayed * (1 - outlook.chance_there) as expected_visits_lost,
    outlook.ranked_by,
    case
        when outlook.next_booking_on is null and outlook.status <> 'finished'
            then row_number() over (
                partition by outlook.next_booking_on is null and outlook.status <> 'finished'
                order by
                    outlook.expected_if_stayed * (1 - outlook.chance_there) desc nulls last,
                    outlook.days_over_gap desc, outlook.patient, outlook.discipline
            )
    end as list_rank,
    clock.as_of
from intermediate.outlooks as outlook
cross join staging.clock as clock
order by outlook.patient, outlook.discipline
