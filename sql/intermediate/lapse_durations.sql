-- grain: one episode in one series (all, its discipline, its cohort month, both)
-- key: entity, series
-- description: An episode's days to lapse or censoring, once for each curve that the episode is part of.
select
    lapse.entity,
    unnest([
        {'discipline': 'all', 'cohort_month': 'all'},
        {'discipline': observation.discipline, 'cohort_month': 'all'},
        {'discipline': 'all', 'cohort_month': observation.cohort},
        {'discipline': observation.discipline, 'cohort_month': observation.cohort}
    ]) as series,
    lapse.time,
    lapse.event
from intermediate.lapses as lapse
inner join intermediate.observations as observation using (entity)
