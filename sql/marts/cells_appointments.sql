-- grain: one cell of one table that is released of appointments, before anything is suppressed
-- key: table_name, value_a, value_b
-- description: What disclosure control reads of appointments and hours: exact counts of few patients are among them,
--   so nobody is shown this mart but who may see rows. Months that are over at D. A table is split by month and one of
--   staff_member, discipline, location, or by lead_time, weekday or hour over all months, or by month, or not at all
--   (all); value_a and value_b are the values, empty where there is none. Hours are in all, month and
--   month_staff_member.
with patients as (
    select
        'all' as table_name,
        '' as value_a,
        '' as value_b,
        count(distinct facts.patient) as patients
    from intermediate.countable_appointments as facts
    union all
    select 'month', facts.month, '', count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.month
    union all
    select 'month_staff_member', facts.month, facts.staff_member, count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.month, facts.staff_member
    union all
    select 'month_discipline', facts.month, facts.discipline, count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.month, facts.discipline
    union all
    select 'month_location', facts.month, facts.location, count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.month, facts.location
    union all
    select 'lead_time', facts.lead_time, '', count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.lead_time
    union all
    select 'weekday', facts.weekday, '', count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.weekday
    union all
    select 'hour', facts.hour, '', count(distinct facts.patient)
    from intermediate.countable_appointments as facts
    group by facts.hour
),

counts as (
    select
        case
            when grouping(facts.staff_member) = 0 then 'month_staff_member'
            when grouping(facts.discipline) = 0 then 'month_discipline'
            when grouping(facts.location) = 0 then 'month_location'
            when grouping(facts.month) = 0 then 'month'
            when grouping(facts.lead_time) = 0 then 'lead_time'
            when grouping(facts.weekday) = 0 then 'weekday'
            when grouping(facts.hour) = 0 then 'hour'
            else 'all'
        end as table_name,
        coalesce(facts.month, facts.lead_time, facts.weekday, facts.hour, '') as value_a,
        coalesce(facts.staff_member, facts.discipline, facts.location, '') as value_b,
        count(*) as appointments,
        count(*) filter (where facts.state = 'arrived') as arrived,
        count(*) filter (where facts.state = 'no_show') as no_shows,
        count(*) filter (where facts.state = 'cancelled') as cancelled,
        count(facts.lead_days) as with_lead,
        cast(coalesce(sum(facts.lead_days), 0) as bigint) as lead_days,
        count(*) filter (where facts.is_due_14) as due_14,
        count(*) filter (where facts.is_due_14 and facts.days_after <= 14) as recovered_14,
        count(*) filter (where facts.is_due_30) as due_30,
        count(*) filter (where facts.is_due_30 and facts.days_after <= 30) as recovered_30
    from intermediate.countable_appointments as facts
    group by grouping sets (
        (), (facts.month), (facts.month, facts.staff_member), (facts.month, facts.discipline),
        (facts.month, facts.location), (facts.lead_time), (facts.weekday), (facts.hour)
    )
    having count(*) > 0
),

shifts as (
    select
        strftime(shift.period_from, '%Y-%m') as month,
        coalesce(shift.staff_member, 'unknown') as staff_member,
        shift.shift_minutes - shift.break_minutes as open_minutes,
        shift.booked_minutes
    from staging.shifts as shift
    cross join staging.clock as clock
    where date_trunc('month', shift.period_from) = date_trunc('month', shift.period_to)
        and last_day(shift.period_from) <= clock.as_of
),

hours as (
    select
        case
            when grouping(shifts.staff_member) = 0 then 'month_staff_member'
            when grouping(shifts.month) = 0 then 'month'
            else 'all'
        end as table_name,
        coalesce(shifts.month, '') as value_a,
        coalesce(shifts.staff_member, '') as value_b,
        cast(sum(shifts.open_minutes) as bigint) as open_minutes,
        cast(sum(shifts.booked_minutes) as bigint) as booked_minutes
    from shifts
    group by grouping sets ((), (shifts.month), (shifts.month, shifts.staff_member))
    having count(*) > 0
)

select
    coalesce(counts.table_name, hours.table_name) as table_name,
    coalesce(counts.value_a, hours.value_a) as value_a,
    coalesce(counts.value_b, hours.value_b) as value_b,
    coalesce(patients.patients, 0) as patients,
    coalesce(counts.appointments, 0) as appointments,
    coalesce(counts.arrived, 0) as arrived,
    coalesce(counts.no_shows, 0) as no_shows,
    coalesce(counts.cancelled, 0) as cancelled,
    coalesce(counts.with_lead, 0) as with_lead,
    coalesce(counts.lead_days, 0) as lead_days,
    coalesce(counts.due_14, 0) as due_14,
    coalesce(counts.recovered_14, 0) as recovered_14,
    coalesce(counts.due_30, 0) as due_30,
    coalesce(counts.recovered_30, 0) as recovered_30,
    coalesce(hours.open_minutes, 0) as open_minutes,
    coalesce(hours.booked_minutes, 0) as booked_minutes,
    clock.as_of
from counts
left join patients using (table_name, value_a, value_b)
full outer join hours using (table_name, value_a, value_b)
cross join staging.clock as clock
order by table_name, value_a, value_b
