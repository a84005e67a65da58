-- grain: one visit, as the macros take visits
-- key: none
-- description: Visits with their discipline as the series and their patient as the entity.
select
    visit.discipline as series,
    visit.patient as entity,
    visit.service_date as visit_on,
    visit.is_first_visit
from intermediate.visits as visit
