-- grain: one month in which money was given up, and kind of it; both sides together
select
    cast(cell.month || '-01' as date) as month,
    in_words(cell.kind) as series,
    cell.amount_cents,
    null as invoices,
    cell.suppressed as withheld
from released.adjustments_by_month_kind as cell
where $side = 'all'
    and last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
