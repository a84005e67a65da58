-- grain: one standing invoice with an open balance, by one basis date
-- key: invoice, basis
-- description: Open balances as the aging macro takes them: by the service day, by the invoice date and by the day on
--   which they are due, with whom they are owed by as the series. No report prints a due date: it is due_days after the
--   invoice date, which is 0 where clinic.yaml says nothing.
select
    {
        'basis': basis.name,
        'side': invoice.side,
        'payer': invoice.payer,
        'is_waiting': waiting.invoice_number is not null,
        'currency': invoice.currency
    } as series,
    invoice.invoice_number as invoice,
    basis.name as basis,
    invoice.invoice_date as invoiced_on,
    cast(null as date) as settled_on,
    basis.day as aged_from,
    invoice.open_cents as amount
from intermediate.open_invoices as invoice
left join intermediate.waiting_on_primary as waiting using (invoice_number)
cross join settings.clinic as clinic
cross join lateral (
    values
    ('service', invoice.service_date),
    ('invoice', invoice.invoice_date),
    (
        'due',
        invoice.invoice_date
        + case when invoice.side = 'insurer' then clinic.insurer_due_days else clinic.patient_due_days end
    )
) as basis (name, day)
