-- grain: one category that has leaks
select
    cell.category,
    coalesce(kind.title, cell.category) as title,
    cell.leaks,
    cell.amount_cents,
    case
        when bool_or(cell.suppressed) over () then null
        else cell.amount_cents / nullif(sum(cell.amount_cents) over (), 0)
    end as share,
    null as oldest_on,
    kind.remedy,
    cell.suppressed as withheld
from released.leaks_by_category as cell
left join leak_category as kind using (category)
