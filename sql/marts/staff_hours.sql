-- grain: the hours of one staff member over one pulled period, a day as a rule
-- key: staff_member, period_from, period_to
-- description: Hours worked, free and booked up to D. The rows can be added up. utilisation is booked ÷ (shift −
--   break), empty where there were no hours to book.
select
    shift.staff_member,
    shift.period_from,
    shift.period_to,
    shift.shift_minutes,
    shift.break_minutes,
    shift.booked_minutes,
    shift.booked_count,
    case
        when shift.shift_minutes > shift.break_minutes
            then shift.booked_minutes / cast(shift.shift_minutes - shift.break_minutes as double)
    end as utilisation
from staging.shifts as shift
order by shift.period_from, shift.period_to, shift.staff_member
