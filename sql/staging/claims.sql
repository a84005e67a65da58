-- grain: one submission of an insurer invoice
-- key: claim_id
-- description: Claims as they stood at the end of D. A claim sent after D was not there yet, an answer that came
--   after D leaves it submitted. sent_on is empty while a claim was not sent; an answer without a date counts from
--   the day it was first seen.
with dated as (
    select
        claim.claim_id,
        claim.invoice_number,
        regexp_replace(claim.invoice_number, '-[A-Z]+[0-9]+X?$', '') as invoice_base,
        coalesce(try_cast(regexp_extract(claim.invoice_number, '([0-9]+)X?$', 1) as integer), 0) as invoice_sequence,
        claim.patient,
        claim.payer_id,
        replace(lower(claim.folder), ' ', '_') as folder,
        claim.submitted_on,
        claim.responded_on,
        claim.observed_on
    from lake.claims as claim
),

timed as (
    select
        dated.claim_id,
        dated.invoice_number,
        dated.invoice_base,
        dated.invoice_sequence,
        dated.patient,
        dated.payer_id,
        dated.folder,
        case
            when dated.folder in ('draft', 'unsubmitted') then null
            when dated.folder = 'waiting_on_primary' then dated.submitted_on
            else coalesce(dated.submitted_on, dated.responded_on, dated.observed_on)
        end as sent_on,
        case
            when dated.folder in ('response_received', 'approved', 'rejected', 'paid', 'refunded')
                then coalesce(dated.responded_on, dated.observed_on)
        end as answered_on
    from dated
)

select
    timed.claim_id,
    timed.invoice_number,
    timed.invoice_base,
    timed.invoice_sequence,
    timed.patient,
    timed.payer_id,
    case when timed.answered_on > clock.as_of then 'submitted' else timed.folder end as folder,
    timed.sent_on,
    case when timed.answered_on <= clock.as_of then timed.answered_on end as answered_on
from timed
cross join staging.clock as clock
where timed.sent_on is null or timed.sent_on <= clock.as_of
