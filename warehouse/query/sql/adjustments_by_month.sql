-- grain: one month in which money was given up, and kind of it
select
    adjustment.month_from as month,
    in_words(adjustment.kind) as series,
    sum(adjustment.amount_cents) as amount_cents,
    sum(adjustment.invoices) as invoices
from adjustments_by_month as adjustment
where ($side = 'all' or adjustment.payer_kind = $side)
    and last_day(adjustment.month_from) >= coalesce(cast($from::varchar as date), '-infinity'::date)
    and adjustment.month_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
group by adjustment.month_from, adjustment.kind
