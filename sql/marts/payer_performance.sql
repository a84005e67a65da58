-- grain: one insurer and one month in which claims were sent to it, in one currency
-- key: payer, sent_month, currency
-- description: How an insurer answers and pays. sent_month is YYYY-MM, none for open invoices of which no claim was
--   sent, or all. Each submission is a claim; a resubmission is another. Days to pay run from a submission to the first
--   money on its invoice, before the next submission of it. Short are answered claims, not rejected, that left a
--   balance; a balance belongs to its invoice's newest claim. What waits for another insurer's answer is left out.
with submissions as (
    select
        claim.claim_id,
        coalesce(insurer.name, 'other insurer') as payer,
        claim.folder,
        claim.sent_on,
        claim.answered_on,
        invoice.invoice_number,
        invoice.currency,
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

balances as (
    select
        invoice.invoice_number,
        invoice.payer,
        invoice.service_date,
        invoice.open_cents,
        invoice.currency,
        claim.claim_id,
        claim.sent_on
    from intermediate.open_invoices as invoice
    left join intermediate.latest_claims as claim using (invoice_number)
    where invoice.side = 'insurer'
        and invoice.invoice_number not in (
            select waiting.invoice_number from intermediate.waiting_on_primary as waiting
        )
),

facts as (
    select
        submissions.payer,
        coalesce(submissions.currency, clock.currency) as currency,
        strftime(submissions.sent_on, '%Y-%m') as sent_month,
        1 as sent,
        (submissions.answered_on is not null)::integer as answered,
        (submissions.folder = 'rejected')::integer as rejected,
        payments.paid_on - submissions.sent_on as days_to_pay,
        (submissions.folder in ('response_received', 'approved', 'paid') and balances.open_cents is not null)::integer
            as short,
        balances.open_cents,
        balances.service_date as open_since
    from submissions
    cross join staging.clock as clock
    left join payments using (claim_id)
    left join balances using (claim_id)
    union all
    select
        balances.payer,
        balances.currency,
        'none' as sent_month,
        0 as sent,
        0 as answered,
        0 as rejected,
        null as days_to_pay,
        0 as short,
        balances.open_cents,
        balances.service_date as open_since
    from balances
    where balances.sent_on is null
),

months as (
    select
        facts.payer,
        facts.currency,
        unnest([facts.sent_month, 'all']) as sent_month,
        facts.sent,
        facts.answered,
        facts.rejected,
        facts.days_to_pay,
        facts.short,
        facts.open_cents,
        facts.open_since
    from facts
)

select
    months.payer,
    months.sent_month,
    cast(sum(months.sent) as bigint) as claims_sent,
    cast(sum(months.answered) as bigint) as claims_answered,
    cast(sum(months.rejected) as bigint) as claims_rejected,
    sum(months.rejected) / cast(nullif(sum(months.answered), 0) as double) as rejection_rate,
    count(months.days_to_pay) as claims_paid,
    cast(coalesce(sum(months.days_to_pay), 0) as bigint) as paid_days,
    cast(sum(months.days_to_pay) as bigint) / cast(nullif(count(months.days_to_pay), 0) as double)
        as mean_days_to_pay,
    cast(median(months.days_to_pay) as double) as median_days_to_pay,
    cast(quantile_disc(months.days_to_pay, 0.9) as bigint) as p90_days_to_pay,
    cast(sum(months.short) as bigint) as short_payments,
    cast(coalesce(sum(months.open_cents) filter (where months.short = 1), 0) as bigint) as short_cents,
    count(months.open_cents) as open_invoices,
    cast(coalesce(sum(months.open_cents), 0) as bigint) as open_cents,
    min(months.open_since) as oldest_open_on,
    months.currency,
    clock.as_of
from months
cross join staging.clock as clock
group by months.payer, months.sent_month, months.currency, clock.as_of
order by months.payer, months.sent_month, months.currency
