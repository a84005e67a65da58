-- grain: one standing invoice with an open balance
-- key: invoice_number
-- description: Open invoices with what they are about: item, staff member and location of their dearest line.
with open_lines as (
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
    where invoice.open_cents > 0
)

select
    invoice.invoice_number,
    invoice.invoice_base,
    invoice.invoice_sequence,
    invoice.side,
    invoice.payer_id,
    invoice.payer,
    invoice.patient,
    invoice.service_date,
    invoice.invoice_date,
    invoice.open_cents,
    invoice.currency,
    open_lines.item,
    coalesce(item_discipline.discipline, 'Unspecified') as discipline,
    open_lines.staff_member,
    open_lines.location
from intermediate.invoices as invoice
inner join open_lines using (invoice_number)
left join staging.item_disciplines as item_discipline using (item)
where open_lines.place = 1
