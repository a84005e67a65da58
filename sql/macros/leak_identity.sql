-- leak_identity(category, invoice_base, side, payer_id, source_id): the name that a leak keeps while its invoice is renumbered:
-- the category with the invoice, side and payer, or with what it was found on where that is no invoice (invoice_base null).
create or replace macro leak_identity(category, invoice_base, side, payer_id, source_id) as
    category || '/' || coalesce(
        invoice_base || '-' || case when side = 'insurer' then 'C/' || payer_id else 'P' end,
        source_id
    );
