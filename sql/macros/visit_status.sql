-- visit_status(days, bookings, as_of): active, at_risk or fallen_off, by the days since the last visit and the usual gap.
--
-- days names a table as visit_episodes gives it, none after as_of (a date). bookings names a table (series, entity,
-- booked_for date): bookings ahead, after as_of.
--
-- Result, one row a series and entity with a visit day: series, entity, episode_number (of the current episode),
-- days_since (the last visit day), usual_gap_days (the median gap of the current episode; where it has one visit day, of
-- the series; 14 where that has no gap), next_booking_on, status.
create or replace macro visit_status(days, bookings, as_of) as table
with episodes as (
    select
        day.series,
        day.entity,
        day.episode_number,
        max(day.visit_on) as last_on,
        median(day.gap_days) as median_gap_days
    from query_table(days) as day
    group by day.series, day.entity, day.episode_number
    qualify row_number() over (partition by day.series, day.entity order by day.episode_number desc) = 1
),

series_gaps as (
    select
        day.series,
        median(day.gap_days) as median_gap_days
    from query_table(days) as day
    group by day.series
),

next_bookings as (
    select
        booking.series,
        booking.entity,
        min(booking.booked_for) as next_booking_on
    from query_table(bookings) as booking
    group by booking.series, booking.entity
),

paces as (
    select
        episodes.series,
        episodes.entity,
        episodes.episode_number,
        as_of - episodes.last_on as days_since,
        coalesce(episodes.median_gap_days, series_gaps.median_gap_days, 14.0) as usual_gap_days,
        next_bookings.next_booking_on
    from episodes
    inner join series_gaps using (series)
    left join next_bookings using (series, entity)
)

select
    paces.series,
    paces.entity,
    paces.episode_number,
    paces.days_since,
    paces.usual_gap_days,
    paces.next_booking_on,
    case
        when paces.next_booking_on is not null then 'active'
        when paces.days_since <= least(180, greatest(14, 1.5 * paces.usual_gap_days)) then 'active'
        when paces.days_since < least(180, greatest(42, 2 * paces.usual_gap_days)) then 'at_risk'
        else 'fallen_off'
    end as status
from paces;
