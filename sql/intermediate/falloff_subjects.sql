-- grain: one current episode that is fallen off at D
-- key: episode_id
-- description: Episodes that have fallen off, with what their last visit was: of several that day the one with the
--   highest appointment id.
with lasts as (
    select
        visit.patient,
        visit.discipline,
        visit.item,
        visit.location,
        visit.staff_member,
        row_number() over (
            partition by visit.patient, visit.discipline
            order by visit.service_date desc, visit.appointment_id desc
        ) as place
    from intermediate.visits as visit
)

select
    state.episode_id,
    state.patient,
    state.discipline,
    state.last_on,
    lasts.item,
    lasts.location,
    lasts.staff_member
from intermediate.episode_states as state
inner join lasts
    on lasts.patient = state.patient
    and lasts.discipline = state.discipline
    and lasts.place = 1
where state.status = 'fallen_off'
