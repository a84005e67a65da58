-- August: Robin is open for 7 + 7 hours and booked for 6 + 3.5, Sam for 4 hours and 4. September: Robin 7 and 7.
-- Sam's hours of a week that was pulled in one have no weekday: 20 open, 10 booked.
select
    staff_member,
    period_from::date as period_from,
    period_to::date as period_to,
    (open_minutes + 30)::bigint as shift_minutes,
    30::bigint as break_minutes,
    booked_minutes::bigint as booked_minutes,
    (booked_minutes / 30)::bigint as booked_count,
    booked_minutes / open_minutes as utilisation
from (
    values
    ('Robin Mercer', '2026-08-03', '2026-08-03', 420, 360), ('Robin Mercer', '2026-08-04', '2026-08-04', 420, 210),
    ('Sam Okafor', '2026-08-03', '2026-08-03', 240, 240), ('Robin Mercer', '2026-09-07', '2026-09-07', 420, 420),
    ('Sam Okafor', '2026-09-07', '2026-09-11', 1200, 600)
) as hours (staff_member, period_from, period_to, open_minutes, booked_minutes)
