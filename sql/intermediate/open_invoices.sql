-- grain: one standing invoice with an open balance
-- key: invoice_number
-- description: Open invoices with what they are about.
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
    subject.item,
    subject.discipline,
    subject.staff_member,
    subject.location
from intermediate.invoices as invoice
inner join intermediate.invoice_subjects as subject using (invoice_number)
where invoice.open_cents > 0
