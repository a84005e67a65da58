-- grain: one open insurer invoice that a category owns
-- key: invoice_number
-- description: Open insurer invoices under the first category that fits: after_policy_end, over_policy_maximum,
--   claim_never_sent, claim_rejected, claim_underpaid, insurer_balance_aged. One behind an insurer that has not
--   answered is none; a claim in the folder waiting_on_primary is in none of the claim categories.
with conditions as (
    select
        invoice.invoice_number,
        claim.folder,
        claim.sent_on,
        claim.answered_on,
        policy_ends.last_ends_on as policy_ended_on,
        coalesce(policy_ends.last_ends_on < invoice.service_date, false) as is_after_policy_end,
        coalesce(treatment.treatment > treatment.max_treatments, false)
        or coalesce(treatment.billed_cents > treatment.policy_maximum_cents, false) as is_over_policy_maximum,
        coalesce(claim.folder in ('draft', 'unsubmitted'), claims_report.is_known) as is_unsent,
        clock.as_of - invoice.service_date as service_age,
        clock.as_of - claim.answered_on as answer_age,
        clock.as_of - claim.sent_on as submission_age
    from intermediate.open_invoices as invoice
    cross join staging.clock as clock
    cross join staging.claims_report as claims_report
    left join intermediate.latest_claims as claim using (invoice_number)
    left join intermediate.insurer_treatments as treatment using (invoice_number)
    left join intermediate.policy_ends as policy_ends
        on policy_ends.patient = invoice.patient
        and policy_ends.payer_id = invoice.payer_id
    where invoice.side = 'insurer'
        and invoice.invoice_number not in (
            select waiting.invoice_number from intermediate.waiting_on_primary as waiting
        )
),

categorised as (
    select
        conditions.invoice_number,
        conditions.folder,
        conditions.sent_on,
        conditions.answered_on,
        conditions.policy_ended_on,
        case
            when conditions.is_after_policy_end then 'after_policy_end'
            when conditions.is_over_policy_maximum then 'over_policy_maximum'
            when conditions.is_unsent and conditions.service_age >= 7 then 'claim_never_sent'
            when conditions.folder = 'rejected' and conditions.answer_age >= 14 then 'claim_rejected'
            when conditions.folder in ('response_received', 'approved', 'paid') and conditions.answer_age >= 30
                then 'claim_underpaid'
            when conditions.folder in ('submitted', 'queued', 'on_hold') and conditions.submission_age > 60
                then 'insurer_balance_aged'
        end as category
    from conditions
)

select
    categorised.category,
    case when categorised.category in ('after_policy_end', 'over_policy_maximum') then 'likely' else 'firm' end
        as certainty,
    categorised.invoice_number,
    categorised.folder as claim_folder,
    categorised.sent_on as claim_sent_on,
    categorised.answered_on as claim_answered_on,
    case when categorised.category = 'after_policy_end' then categorised.policy_ended_on end as policy_ended_on
from categorised
where categorised.category is not null
