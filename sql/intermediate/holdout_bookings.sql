-- grain: one booking that stood 90 days before D for a day after that
-- key: none
-- description: Bookings ahead 90 days before D, as the status macro takes them, whatever became of them since. One of
--   which nobody knows when it was made counts from its day, so not as a booking ahead.
with bookings as (
    select
        appointment.discipline,
        appointment.patient,
        appointment.service_date,
        cast(timezone(clock.time_zone, appointment.booked_at) as date) as booked_on,
        case
            when appointment.state = 'cancelled'
                then cast(timezone(clock.time_zone, appointment.cancelled_at) as date)
        end as cancelled_on,
        appointment.state = 'cancelled' as is_cancelled,
        clock.as_of - 90 as watched_until
    from staging.appointments as appointment
    cross join staging.clock as clock
)

select
    bookings.discipline as series,
    bookings.patient as entity,
    bookings.service_date as booked_for
from bookings
where bookings.service_date > bookings.watched_until
    and bookings.booked_on <= bookings.watched_until
    and (not bookings.is_cancelled or bookings.cancelled_on > bookings.watched_until)
