-- grain: one standing invoice with an open balance or a write-off
-- key: invoice_number
-- description: What an invoice is about: item, discipline, staff member and location of its dearest line.
with lines as (
    select
        line.invoice_number,
        line.item,
        line.staff_member,
        line.location,
        row_number() over (
            partition by line.invoice_number
            order by line.total_cents desc, line.item, line.ordinal
        ) as place
    from intermediate.standing_lines as line
    inner join intermediate.invoices as invoice using (invoice_number)
    left join intermediate.invoice_settlements as settlement using (invoice_number)
    where invoice.open_cents > 0
        or settlement.written_off_cents > 0
)

select
    lines.invoice_number,
    lines.item,
    coalesce(item_discipline.discipline, 'Unspecified') as discipline,
    lines.staff_member,
    lines.location
from lines
left join staging.item_disciplines as item_discipline using (item)
where lines.place = 1
