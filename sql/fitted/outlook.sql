-- grain: one discipline at D (purpose now), and as it was 90 days before (holdout)
-- key: purpose, discipline
-- description: Parameters of the model of repeat visits, fitted in Go by maximum likelihood to the episodes that the
--   select lists: how many of a discipline have the same history. Only episodes whose beginning is known count. With
--   fewer than 50 of them, or where the search finds no top, the parameters are those of all disciplines together, else
--   there are none; fallback says so.
select
    history.purpose,
    history.discipline,
    coalesce(clinic.alive_model, 'mbgnbd') as model,
    history.x,
    history.t_x,
    history.t,
    count(*) filter (where history.beginning <> 'unknown') as episodes
from intermediate.visit_histories as history
cross join settings.clinic as clinic
group by all
order by all
