-- grain: one month of services and one value of one dimension; month all is all of them together
-- key: month, dimension, value
-- description: What came of appointments whose day is over, by one dimension at a time: all, lead_time (local days
--   from booking to the day), weekday (1 Monday to 7 Sunday), hour (of the local start), staff_member, discipline.
--   show_share is arrivals of those who were expected on the day (arrived or no-show), kept_share arrivals of all
--   that were decided, cancellations too. Unclosed appointments are still booked and in neither. What comes of a day
--   is known on the day, so a month is complete when it is over and history began before it.
with split as (
    select
        strftime(attended.service_date, '%Y-%m') as month,
        attended.state,
        attended.lead_days,
        attended.staff_member,
        attended.discipline,
        attended.weekday,
        attended.local_hour,
        case
            when attended.lead_days is null then 'unknown'
            when attended.lead_days = 0 then '0'
            when attended.lead_days <= 3 then '1-3'
            when attended.lead_days <= 7 then '4-7'
            when attended.lead_days <= 14 then '8-14'
            when attended.lead_days <= 30 then '15-30'
            else 'over_30'
        end as lead_time
    from intermediate.attended as attended
),

counts as (
    select
        coalesce(split.month, 'all') as month,
        case
            when grouping(split.lead_time) = 0 then 'lead_time'
            when grouping(split.weekday) = 0 then 'weekday'
            when grouping(split.local_hour) = 0 then 'hour'
            when grouping(split.staff_member) = 0 then 'staff_member'
            when grouping(split.discipline) = 0 then 'discipline'
            else 'all'
        end as dimension,
        coalesce(
            split.lead_time, cast(split.weekday as varchar), cast(split.local_hour as varchar), split.staff_member,
            split.discipline, 'all'
        ) as value,
        coalesce(
            list_position(['0', '1-3', '4-7', '8-14', '15-30', 'over_30', 'unknown'], split.lead_time),
            split.weekday, split.local_hour, 0
        ) as place,
        count(*) as appointments,
        count(*) filter (where split.state = 'arrived') as arrived,
        count(*) filter (where split.state = 'no_show') as no_shows,
        count(*) filter (where split.state = 'cancelled') as cancelled,
        count(*) filter (where split.state = 'booked') as unclosed,
        count(split.lead_days) as with_lead,
        sum(split.lead_days) as lead_days,
        median(split.lead_days) as median_lead_days
    from split
    group by grouping sets (
        (), (split.lead_time), (split.weekday), (split.local_hour), (split.staff_member), (split.discipline),
        (split.month), (split.month, split.lead_time), (split.month, split.weekday), (split.month, split.local_hour),
        (split.month, split.staff_member), (split.month, split.discipline)
    )
)

select
    counts.month,
    counts.dimension,
    counts.value,
    cast(counts.place as bigint) as place,
    counts.appointments,
    counts.arrived,
    counts.no_shows,
    counts.cancelled,
    counts.unclosed,
    counts.arrived + counts.no_shows as expected,
    counts.arrived / nullif(counts.arrived + counts.no_shows, 0) as show_share,
    counts.arrived + counts.no_shows + counts.cancelled as decided,
    counts.arrived / nullif(counts.arrived + counts.no_shows + counts.cancelled, 0) as kept_share,
    counts.with_lead,
    counts.median_lead_days,
    cast(counts.lead_days as bigint) / nullif(counts.with_lead, 0) as mean_lead_days,
    counts.month = 'all'
    or (
        last_day(strptime(nullif(counts.month, 'all'), '%Y-%m')) <= clock.as_of
        and strptime(nullif(counts.month, 'all'), '%Y-%m') >= clock.history_from
    ) as is_complete,
    clock.history_from,
    clock.as_of
from counts
cross join staging.clock as clock
where counts.appointments > 0
order by counts.month, counts.dimension, place, counts.value
