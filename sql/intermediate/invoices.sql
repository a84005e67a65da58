-- grain: one standing invoice number (one payer's side of one visit's invoice)
-- key: invoice_number
-- description: Standing invoices with their lines summed. Open is what is owed on them; a credit is not.
select
    line.invoice_number,
    min(line.invoice_base) as invoice_base,
    min(line.base_number) as base_number,
    min(line.invoice_sequence) as invoice_sequence,
    min(line.side) as side,
    min(line.payer_id) as payer_id,
    min(line.payer) as payer,
    min(line.patient) as patient,
    min(line.service_date) as service_date,
    min(line.invoice_date) as invoice_date,
    cast(sum(line.total_cents) as bigint) as total_cents,
    cast(greatest(sum(line.balance_cents), 0) as bigint) as open_cents,
    min(line.currency) as currency
from intermediate.standing_lines as line
group by line.invoice_number
