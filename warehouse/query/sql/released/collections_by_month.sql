-- grain: one service month and who pays
with cells as (
    select
        cell.month, 'all' as payer_kind, cell.charged_cents, cell.collected_cents, cell.adjusted_cents, cell.gross_rate,
        cell.net_rate, cell.suppressed
    from released.money_by_month as cell
    where $side in ('all', 'every')
    union all
    select
        cell.month, cell.payer_kind, cell.charged_cents, cell.collected_cents, cell.adjusted_cents, cell.gross_rate,
        cell.net_rate, cell.suppressed
    from released.money_by_month_payer_kind as cell
    where case $side
        when 'every' then true
        when 'both' then cell.payer_kind in ('insurer', 'person')
        else cell.payer_kind = $side
    end
)

select
    cast(cell.month || '-01' as date) as month,
    case cell.payer_kind when 'all' then 1 when 'insurer' then 2 when 'person' then 3 else 4 end as place,
    case cell.payer_kind
        when 'all' then 'All together'
        when 'insurer' then 'Insurers'
        when 'person' then 'Patients'
        else cell.payer_kind
    end as series,
    cell.charged_cents as expected_cents,
    cell.collected_cents,
    cell.adjusted_cents,
    null as written_off_cents,
    null as open_cents,
    cell.gross_rate,
    cell.net_rate,
    cell.suppressed as withheld
from cells as cell
where last_day(cast(cell.month || '-01' as date)) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and cast(cell.month || '-01' as date) <= coalesce(cast($to::varchar as date), 'infinity'::date)
