-- grain: one value of the dimension; of episodes that began in a month that is over
with cells as (
    select
        'all' as value, cell.episodes, cell.conversion_share, cell.rebooked_share, cell.reactivations, cell.suppressed
    from released.episodes as cell
    where $dimension = 'all'
    union all
    select
        cell.staff_member, cell.episodes, cell.conversion_share, cell.rebooked_share, cell.reactivations, cell.suppressed
    from released.episodes_by_staff_member as cell
    where $dimension = 'staff_member'
    union all
    select
        cell.location, cell.episodes, cell.conversion_share, cell.rebooked_share, cell.reactivations, cell.suppressed
    from released.episodes_by_location as cell
    where $dimension = 'location'
    union all
    select
        in_words(cell.payer_kind), cell.episodes, cell.conversion_share, cell.rebooked_share,
        cell.reactivations, cell.suppressed
    from released.episodes_by_payer_kind as cell
    where $dimension = 'payer_kind'
    union all
    select
        in_words(cell.beginning), cell.episodes, cell.conversion_share, cell.rebooked_share,
        cell.reactivations, cell.suppressed
    from released.episodes_by_beginning as cell
    where $dimension = 'beginning'
    union all
    select
        cell.cohort_month, cell.episodes, cell.conversion_share, cell.rebooked_share, cell.reactivations, cell.suppressed
    from released.episodes_by_cohort_month as cell
    where $dimension = 'cohort_month'
)

select
    cell.value,
    cell.episodes,
    null as lapsed,
    null as median_visits,
    null as median_days,
    null as median_days_low,
    null as median_days_high,
    cell.conversion_share,
    cell.rebooked_share,
    cell.reactivations,
    cell.suppressed as withheld
from cells as cell
where $discipline = 'all'
