-- grain: one standing invoice that does not wait for another insurer's answer
-- key: invoice_number
-- description: What became of each invoice's money at D. Collected is from the report of applied payments where that
--   goes back to the service, else from the sales report's column; what was paid beyond the total is not in it and
--   stands beside. An invoice that waits repeats the balance of another and is left out.
select
    invoice.invoice_number,
    invoice.invoice_base,
    invoice.side,
    invoice.payer_id,
    invoice.payer,
    invoice.service_date,
    invoice.invoice_date,
    invoice.currency,
    invoice.total_cents as charged_cents,
    case
        when invoice.service_date >= payments_from.first_on then coalesce(settlement.collected_cents, 0)
        else invoice.reported_collected_cents
    end - invoice.overpaid_cents as collected_cents,
    coalesce(settlement.adjusted_cents, 0) as adjusted_cents,
    coalesce(settlement.contractual_cents, 0) as contractual_cents,
    coalesce(settlement.written_off_cents, 0) as written_off_cents,
    invoice.open_cents,
    invoice.overpaid_cents
from intermediate.invoices as invoice
cross join intermediate.payments_from as payments_from
left join intermediate.invoice_settlements as settlement using (invoice_number)
where invoice.invoice_number not in (
    select waiting.invoice_number from intermediate.waiting_on_primary as waiting
)
