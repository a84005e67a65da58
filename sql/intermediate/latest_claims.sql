-- grain: one open insurer invoice that has a claim
-- key: invoice_number
-- description: The latest claim of each open insurer invoice: the one sent last; one not yet sent counts only where
--   none was sent. Claims belong to an invoice by its number; where no claim has it, the invoice was renumbered,
--   and they belong by invoice base and payer.
with by_number as (
    select
        invoice.invoice_number,
        claim.claim_id,
        claim.folder,
        claim.sent_on,
        claim.answered_on
    from intermediate.open_invoices as invoice
    inner join staging.claims as claim using (invoice_number)
    where invoice.side = 'insurer'
),

by_base as (
    select
        invoice.invoice_number,
        claim.claim_id,
        claim.folder,
        claim.sent_on,
        claim.answered_on
    from intermediate.open_invoices as invoice
    inner join staging.claims as claim
        on claim.invoice_base = invoice.invoice_base
        and claim.payer_id = invoice.payer_id
    where invoice.side = 'insurer'
        and invoice.invoice_number not in (select by_number.invoice_number from by_number)
),

candidates as (
    select invoice_number, claim_id, folder, sent_on, answered_on from by_number
    union all
    select invoice_number, claim_id, folder, sent_on, answered_on from by_base
),

ordered as (
    -- Sent twice on one day: the first was answered before the second was sent, so the later answer, or none, is newer.
    select
        candidates.invoice_number,
        candidates.claim_id,
        candidates.folder,
        candidates.sent_on,
        candidates.answered_on,
        row_number() over (
            partition by candidates.invoice_number
            order by
                candidates.sent_on desc nulls last, candidates.answered_on desc nulls first,
                candidates.folder desc, candidates.claim_id desc
        ) as place
    from candidates
)

select
    ordered.invoice_number,
    ordered.claim_id,
    ordered.folder,
    ordered.sent_on,
    ordered.answered_on
from ordered
where ordered.place = 1
