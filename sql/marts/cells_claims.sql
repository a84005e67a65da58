-- grain: one cell of one table that is released of claims, before anything is suppressed
-- key: table_name, value_a, value_b
-- description: What disclosure control reads of claims: exact counts of few patients are among them, so nobody is
--   shown this mart but who may see rows. Submissions of months that are over at D, as payer_performance has them: by
--   insurer (payer), by insurer and month of submission (payer_month), or together (all).
with submissions as (
    select
        claim.claim_id,
        claim.patient,
        coalesce(insurer.name, 'other insurer') as payer,
        claim.folder,
        claim.sent_on,
        claim.answered_on,
        invoice.invoice_number,
        lead(claim.sent_on) over (
            partition by claim.invoice_base, claim.payer_id
            order by claim.sent_on, claim.answered_on nulls last, claim.claim_id
        ) as next_sent_on
    from staging.claims as claim
    left join staging.insurers as insurer using (payer_id)
    left join intermediate.invoices as invoice
        on invoice.invoice_base = claim.invoice_base
        and invoice.payer_id = claim.payer_id
        and invoice.side = 'insurer'
    where claim.sent_on is not null
),

payments as (
    select
        submissions.claim_id,
        min(movement.on_day) as paid_on
    from submissions
    inner join intermediate.invoice_movements as movement
        on movement.invoice_number = submissions.invoice_number
        and movement.on_day >= submissions.sent_on
        and (submissions.next_sent_on is null or movement.on_day < submissions.next_sent_on)
    where movement.collected_cents > 0
    group by submissions.claim_id
),

short as (
    select
        latest.claim_id,
        invoice.open_cents
    from intermediate.open_invoices as invoice
    inner join intermediate.latest_claims as latest using (invoice_number)
    where invoice.side = 'insurer'
        and invoice.invoice_number not in (
            select waiting.invoice_number from intermediate.waiting_on_primary as waiting
        )
),

facts as (
    select
        submissions.patient,
        submissions.payer,
        strftime(submissions.sent_on, '%Y-%m') as month,
        submissions.answered_on,
        submissions.folder,
        payments.paid_on - submissions.sent_on as days_to_pay,
        case
            when submissions.folder in ('response_received', 'approved', 'paid') then short.open_cents
        end as short_cents
    from submissions
    cross join staging.clock as clock
    left join payments using (claim_id)
    left join short using (claim_id)
    where last_day(submissions.sent_on) <= clock.as_of
),

cells as (
    select
        case
            when grouping(facts.month) = 0 then 'payer_month'
            when grouping(facts.payer) = 0 then 'payer'
            else 'all'
        end as table_name,
        coalesce(facts.payer, '') as value_a,
        coalesce(facts.month, '') as value_b,
        count(distinct facts.patient) as patients,
        count(*) as claims,
        count(facts.answered_on) as answered,
        count(*) filter (where facts.folder = 'rejected') as rejected,
        count(facts.days_to_pay) as paid,
        cast(coalesce(sum(facts.days_to_pay), 0) as bigint) as paid_days,
        count(facts.short_cents) as short_payments,
        cast(coalesce(sum(facts.short_cents), 0) as bigint) as short_cents
    from facts
    group by grouping sets ((), (facts.payer), (facts.payer, facts.month))
    having count(*) > 0
)

select
    cells.table_name,
    cells.value_a,
    cells.value_b,
    cells.patients,
    cells.claims,
    cells.answered,
    cells.rejected,
    cells.paid,
    cells.paid_days,
    cells.short_payments,
    cells.short_cents,
    clock.as_of
from cells
cross join staging.clock as clock
order by cells.table_name, cells.value_a, cells.value_b
