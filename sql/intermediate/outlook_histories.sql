-- grain: one patient in one discipline at D, and 90 days before, by the episode that was current
-- key: series, entity
-- description: Current episodes as the macro alive takes them: the series is purpose and discipline.
select
    concat_ws('/', history.purpose, history.discipline) as series,
    history.episode_id as entity,
    history.x,
    history.t_x,
    history.t
from intermediate.visit_histories as history
where history.is_current
