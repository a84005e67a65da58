-- grain: one no-show or cancelled appointment of one patient on a day that is over at D
-- key: appointment_id, patient
-- description: Missed appointments with the first day on which the patient was seen in the discipline after all: on
--   the missed day or later, or before it but after the day on which it was cancelled.
with missed as (
    select
        attended.appointment_id,
        attended.patient,
        attended.discipline,
        attended.service_date,
        case attended.state when 'no_show' then 'no_show' else 'cancellation' end as kind,
        case
            when attended.state = 'cancelled'
                then least(attended.service_date, attended.cancelled_on + 1)
            else attended.service_date
        end as returns_from
    from intermediate.attended as attended
    where attended.state in ('no_show', 'cancelled')
)

select
    missed.appointment_id,
    missed.patient,
    missed.discipline,
    missed.kind,
    missed.service_date,
    day.visit_on as seen_on,
    day.visit_on - missed.service_date as days_after
from missed
asof left join intermediate.visit_days as day
    on day.patient = missed.patient
    and day.discipline = missed.discipline
    and missed.returns_from <= day.visit_on
