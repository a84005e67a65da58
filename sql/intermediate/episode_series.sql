-- grain: one episode in one series
-- key: entity, series
-- description: The series that an episode is counted in: all and its discipline, each whole and split by cohort
--   month, practitioner and location of the first visit, payer kind, and new or returning. Twelve an episode.
with disciplines as (
    select
        visit.entity,
        unnest(['all', visit.discipline]) as discipline,
        visit.cohort_month,
        visit.staff_member,
        visit.location,
        visit.payer_kind,
        visit.beginning,
        visit.first_on,
        visit.falloff_days
    from intermediate.first_visits as visit
)

select
    disciplines.entity,
    unnest([
        {'discipline': disciplines.discipline, 'dimension': 'all', 'value': 'all'},
        {'discipline': disciplines.discipline, 'dimension': 'cohort_month', 'value': disciplines.cohort_month},
        {'discipline': disciplines.discipline, 'dimension': 'staff_member', 'value': disciplines.staff_member},
        {'discipline': disciplines.discipline, 'dimension': 'location', 'value': disciplines.location},
        {'discipline': disciplines.discipline, 'dimension': 'payer_kind', 'value': disciplines.payer_kind},
        {'discipline': disciplines.discipline, 'dimension': 'beginning', 'value': disciplines.beginning}
    ]) as series,
    disciplines.first_on,
    disciplines.falloff_days
from disciplines
