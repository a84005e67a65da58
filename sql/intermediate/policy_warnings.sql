-- grain: one policy in force at D and one way in which it will soon cover no more
-- key: patient, payer_id, reason
-- description: Policies that run out: ending (the End Date is 30 days away or less), and those that the bookings
--   ahead fill up: treatments (beyond Max Treatments, each booking counted as one) and maximum (beyond Policy Maximum,
--   each booking at what the insurer was billed for the last visit). Due is the End Date, or the day of the first
--   booking beyond. A booking counts whatever it is for: a policy does not say what it covers.
with bookings as (
    select
        appointment.patient,
        appointment.service_date,
        row_number() over (
            partition by appointment.patient
            order by appointment.service_date, appointment.starts_at, appointment.appointment_id
        ) as place
    from staging.appointments as appointment
    cross join staging.clock as clock
    where appointment.state = 'booked'
        and appointment.service_date > clock.as_of
),

room as (
    -- How many visits more the policy pays, by each of its limits.
    select
        cover.patient,
        cover.payer_id,
        'treatments' as reason,
        greatest(cover.max_treatments - cover.used_treatments, 0) as visits
    from intermediate.policy_cover as cover
    where cover.max_treatments is not null
    union all
    select
        cover.patient,
        cover.payer_id,
        'maximum' as reason,
        greatest(cover.policy_maximum_cents - cover.used_cents, 0) // cover.last_cents as visits
    from intermediate.policy_cover as cover
    where cover.policy_maximum_cents is not null
        and cover.last_cents > 0
),

filled as (
    select
        room.patient,
        room.payer_id,
        room.reason,
        booking.service_date as due_on
    from room
    inner join intermediate.policy_cover as cover using (patient, payer_id)
    inner join bookings as booking
        on booking.patient = room.patient
        and booking.place = room.visits + 1
    where cover.ends_on is null
        or booking.service_date <= cover.ends_on
),

warnings as (
    select
        cover.patient,
        cover.payer_id,
        'ending' as reason,
        cover.ends_on as due_on
    from intermediate.policy_cover as cover
    cross join staging.clock as clock
    where cover.ends_on - clock.as_of <= 30
    union all
    select filled.patient, filled.payer_id, filled.reason, filled.due_on
    from filled
),

counts as (
    select
        warnings.patient,
        warnings.payer_id,
        warnings.reason,
        count(booking.place) as bookings_ahead,
        count(booking.place) filter (
            where case
                when warnings.reason = 'ending' then booking.service_date > warnings.due_on
                when cover.ends_on < booking.service_date then false
                else booking.place > room.visits
            end
        ) as bookings_uncovered
    from warnings
    inner join intermediate.policy_cover as cover using (patient, payer_id)
    left join room
        on room.patient = warnings.patient
        and room.payer_id = warnings.payer_id
        and room.reason = warnings.reason
    left join bookings as booking on booking.patient = warnings.patient
    group by warnings.patient, warnings.payer_id, warnings.reason
)

select
    warnings.patient,
    warnings.payer_id,
    warnings.reason,
    warnings.due_on,
    cover.payer,
    cover.policy_id,
    cover.used_treatments,
    cover.max_treatments,
    cover.used_cents,
    cover.policy_maximum_cents,
    counts.bookings_ahead,
    counts.bookings_uncovered
from warnings
inner join intermediate.policy_cover as cover using (patient, payer_id)
inner join counts
    on counts.patient = warnings.patient
    and counts.payer_id = warnings.payer_id
    and counts.reason = warnings.reason
