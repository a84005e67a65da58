-- grain: one episode whose beginning is known
-- key: entity
-- description: What an episode is counted under for the whole of its life: practitioner and location of its first
--   visit (the earliest of the day), who was billed for that day's visits of the discipline (insurer where any line
--   is an insurer's; person; none where no line stands), new or returning, and the month.
with openings as (
    select
        episode.episode_id as entity,
        episode.discipline,
        episode.beginning,
        episode.first_on,
        episode.falloff_days,
        visit.appointment_id,
        visit.patient,
        visit.staff_member,
        visit.location,
        row_number() over (
            partition by episode.episode_id
            order by visit.starts_at, visit.appointment_id
        ) as place
    from intermediate.episodes as episode
    inner join intermediate.visits as visit
        on visit.patient = episode.patient
        and visit.discipline = episode.discipline
        and visit.service_date = episode.first_on
    where episode.beginning <> 'unknown'
),

billed as (
    select
        openings.entity,
        bool_or(line.side = 'insurer') as is_insured
    from openings
    inner join intermediate.visit_invoices as paired
        on paired.appointment_id = openings.appointment_id
        and paired.patient = openings.patient
    inner join intermediate.standing_lines as line using (invoice_base)
    group by openings.entity
)

select
    openings.entity,
    openings.discipline,
    strftime(openings.first_on, '%Y-%m') as cohort_month,
    openings.staff_member,
    openings.location,
    case
        when billed.is_insured then 'insurer'
        when billed.is_insured is null then 'none'
        else 'person'
    end as payer_kind,
    openings.beginning,
    openings.first_on,
    openings.falloff_days
from openings
left join billed using (entity)
where openings.place = 1
