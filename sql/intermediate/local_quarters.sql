-- grain: one quarter of an hour in which an appointment starts, was booked or was cancelled
-- key: quarter
-- description: The clinic's day and hour of each quarter of an hour, counted from 1970 UTC. Zones differ from UTC by
--   whole quarters, so that this is the day and hour of every instant in it; there are far fewer of them than
--   appointments, and what a zone does to an instant is slow to find out.
with instants as (
    select epoch_us(appointment.starts_at) // 900000000 as quarter
    from staging.appointments as appointment
    union
    select epoch_us(appointment.booked_at) // 900000000 as quarter
    from staging.appointments as appointment
    where appointment.booked_at is not null
    union
    select epoch_us(appointment.cancelled_at) // 900000000 as quarter
    from staging.appointments as appointment
    where appointment.cancelled_at is not null
),

local_times as (
    select
        instants.quarter,
        timezone(clock.time_zone, to_timestamp(instants.quarter * 900)) as local_at
    from instants
    cross join staging.clock as clock
)

select
    local_times.quarter,
    cast(local_times.local_at as date) as local_on,
    cast(hour(local_times.local_at) as bigint) as local_hour
from local_times
