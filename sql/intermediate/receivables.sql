-- grain: one standing invoice with an open balance, by one basis date
-- key: invoice, basis
-- description: Open balances as the aging macro takes them: by the service day and by the invoice date, with whom they
--   are owed by as the series.
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
cross join lateral (
    values ('service', invoice.service_date), ('invoice', invoice.invoice_date)
) as basis (name, day)
