-- grain: one service month and who pays
with payers (place, payer_kind, title) as (
    values
    (1, 'all', 'All together'),
    (2, 'insurer', 'Insurers'),
    (3, 'person', 'Patients'),
    (4, 'none', 'Not invoiced')
)

select
    month.month_from as month,
    payers.place,
    payers.title as series,
    month.expected_cents,
    month.collected_cents,
    month.adjusted_cents,
    month.written_off_cents,
    month.open_cents,
    month.gross_rate,
    month.net_rate
from collections_by_month as month
inner join payers using (payer_kind)
where case $side
        when 'every' then true
        when 'both' then month.payer_kind in ('insurer', 'person')
        else month.payer_kind = $side
    end
    and last_day(month.month_from) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and month.month_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
