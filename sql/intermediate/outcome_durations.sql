-- grain: one episode in one series (all, its discipline)
-- key: entity, series
-- description: Days to an episode's first outcome: cause 1 is finished, on the day of the last visit; cause 2 is
--   fallen off by first_lapse, unless the gap is the one after the last visit of who has finished; 0 is censored.
--   None where no list by D tells who has finished.
select
    episode.episode_id as entity,
    unnest(['all', episode.discipline]) as series,
    case
        when coalesce(episode.is_current and not finished.is_reconstructed, false)
        and not (lapse.event and lapse.time - episode.falloff_days < episode.last_on - episode.first_on)
            then episode.last_on - episode.first_on
        else lapse.time
    end as time,
    case
        when coalesce(episode.is_current and not finished.is_reconstructed, false)
        and not (lapse.event and lapse.time - episode.falloff_days < episode.last_on - episode.first_on)
            then 1
        when lapse.event then 2
        else 0
    end as cause
from intermediate.lapses as lapse
inner join intermediate.episodes as episode on episode.episode_id = lapse.entity
cross join staging.clock as clock
inner join staging.finishing_list as list on list.seen_on <= clock.as_of
left join intermediate.finished as finished on finished.patient = episode.patient
