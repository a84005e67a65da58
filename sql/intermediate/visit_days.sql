-- grain: one day on which a patient had a visit in a discipline
-- key: patient, discipline, visit_on
-- description: Visit days with the episode they belong to: a new one begins more than 180 days after the visit day
--   before. gap_days is empty on an episode's first day.
select
    day.entity as patient,
    day.series as discipline,
    day.visit_on,
    day.is_first_visit,
    day.gap_days,
    day.episode_number
from intermediate.attendance as day
