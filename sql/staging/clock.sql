-- grain: one row
-- key: as_of
-- description: The as-of day D, the instant at which D is over in the clinic's zone, and the first day of known
--   history.
with earliest as (
    select min(appointment.service_date) as service_date
    from lake.appointments as appointment
)

select
    clinic.as_of,
    timezone(clinic.time_zone, cast(clinic.as_of + 1 as timestamp)) as over_at,
    clinic.time_zone,
    clinic.currency,
    list_position(
        ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'], lower(clinic.week_starts)
    ) - 1 as week_starts_after,
    coalesce(clinic.history_from, least(earliest.service_date, clinic.as_of), clinic.as_of) as history_from
from settings.clinic as clinic
cross join earliest
