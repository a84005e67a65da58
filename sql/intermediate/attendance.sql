-- grain: one day on which a patient had a visit in a discipline, as the macros take visit days
-- key: series, entity, visit_on
-- description: Visit days (several visits a day count as one), cut into episodes; the series is the discipline, the
--   entity the patient.
select
    day.series,
    day.entity,
    day.visit_on,
    day.is_first_visit,
    day.gap_days,
    day.episode_number
from visit_episodes('intermediate.patient_visits') as day
