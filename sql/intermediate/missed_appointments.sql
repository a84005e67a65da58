-- grain: one missed appointment of one patient for which a fee was due
-- key: appointment_id, patient
-- description: No-shows, and cancellations inside the notice window (or after the start), under the fee policy of
--   the day: the most specific one (location, then discipline), then the one valid from the latest day. A policy of
--   $0 is no fee.
with missed as (
    select
        appointment.appointment_id,
        appointment.patient,
        appointment.location,
        appointment.staff_member,
        appointment.item,
        appointment.discipline,
        appointment.state,
        case when appointment.state = 'no_show' then 'no_show' else 'late_cancel' end as kind,
        appointment.service_date,
        appointment.starts_at,
        appointment.cancelled_at
    from staging.appointments as appointment
    where appointment.state in ('no_show', 'cancelled')
),

policies as (
    select
        missed.appointment_id,
        missed.patient,
        fee.item as fee_item,
        fee.gross_cents,
        fee.notice_hours,
        row_number() over (
            partition by missed.appointment_id, missed.patient
            order by
                (fee.location is not null)::integer + (fee.discipline is not null)::integer desc,
                fee.location is not null desc, fee.valid_from desc nulls last, fee.valid_to nulls last,
                fee.gross_cents desc, fee.item
        ) as place
    from missed
    inner join settings.fees as fee
        on fee.kind = missed.kind
        and (fee.location is null or fee.location = missed.location)
        and (fee.discipline is null or fee.discipline = missed.discipline)
        and (fee.valid_from is null or fee.valid_from <= missed.service_date)
        and (fee.valid_to is null or fee.valid_to >= missed.service_date)
)

select
    missed.appointment_id,
    missed.patient,
    missed.location,
    missed.staff_member,
    missed.item,
    missed.discipline,
    missed.kind,
    missed.service_date,
    policies.fee_item,
    policies.gross_cents as fee_cents,
    row_number() over (
        partition by missed.patient, missed.service_date, missed.staff_member, policies.fee_item
        order by missed.starts_at, missed.appointment_id
    ) as place
from missed
inner join policies
    on policies.appointment_id = missed.appointment_id
    and policies.patient = missed.patient
    and policies.place = 1
where policies.gross_cents > 0
    and (
        missed.kind = 'no_show'
        or missed.cancelled_at > missed.starts_at - to_hours(policies.notice_hours)
    )
