-- grain: one standing invoice and one day from whose end on the ledger had a leak of it, if a balance was open
-- key: invoice_number, seen_on
-- description: When each category's condition first held of an invoice on which money moved later, from the dates in
--   the rows: the conditions are those of insurer_leaks and patient_leaks. Of two that began on one day, and wherever a
--   policy did not cover the visit, the first in their order. An invoice that was written late carries the leak that
--   its missing was; seen_on is then the day before it was written, as all its money came after. Its claim was late
--   if it was not sent that day. Of two insurers of a visit nothing is said about sending: one had to wait.
with touched as (
    select
        invoice.invoice_number,
        invoice.invoice_base,
        invoice.side,
        invoice.payer_id,
        invoice.patient,
        invoice.service_date,
        invoice.invoice_date,
        settlement.last_on
    from intermediate.invoices as invoice
    inner join intermediate.invoice_settlements as settlement using (invoice_number)
    where settlement.last_on >= invoice.invoice_date
),

insured as (
    select
        invoice.invoice_base,
        count(*) as insurers
    from intermediate.invoices as invoice
    where invoice.side = 'insurer'
    group by invoice.invoice_base
),

submissions as (
    select
        touched.invoice_number,
        claim.folder,
        claim.sent_on,
        claim.answered_on,
        lead(claim.sent_on) over (
            partition by touched.invoice_number
            order by claim.sent_on, claim.answered_on nulls last, claim.claim_id
        ) as next_sent_on
    from touched
    inner join staging.claims as claim
        on claim.invoice_base = touched.invoice_base
        and claim.payer_id = touched.payer_id
    where touched.side = 'insurer'
        and claim.sent_on is not null
),

first_sent as (
    select
        submissions.invoice_number,
        min(submissions.sent_on) as sent_on
    from submissions
    group by submissions.invoice_number
),

candidates as (
    select touched.invoice_number, 1 as place, 'after_policy_end' as category, touched.invoice_date as seen_on
    from touched
    inner join intermediate.policy_ends as policy_end
        on policy_end.patient = touched.patient
        and policy_end.payer_id = touched.payer_id
    where touched.side = 'insurer'
        and policy_end.last_ends_on < touched.service_date
    union all
    select touched.invoice_number, 2 as place, 'over_policy_maximum' as category, touched.invoice_date as seen_on
    from touched
    inner join intermediate.insurer_treatments as treatment using (invoice_number)
    where treatment.treatment > treatment.max_treatments
        or treatment.billed_cents > treatment.policy_maximum_cents
    union all
    select touched.invoice_number, 3 as place, 'claim_never_sent' as category, touched.service_date + 7 as seen_on
    from touched
    inner join insured
        on insured.invoice_base = touched.invoice_base
        and insured.insurers = 1
    inner join staging.claims_report as claims_report on claims_report.is_known
    left join first_sent using (invoice_number)
    left join intermediate.late_charges as late on late.invoice_base = touched.invoice_base
    where touched.side = 'insurer'
        and (
            first_sent.sent_on is null
            or first_sent.sent_on > greatest(touched.service_date + 7, coalesce(late.charged_on, touched.service_date))
        )
    union all
    select
        submissions.invoice_number, 4 as place, 'claim_rejected' as category, submissions.answered_on + 14 as seen_on
    from submissions
    where submissions.folder = 'rejected'
        and (submissions.next_sent_on is null or submissions.next_sent_on > submissions.answered_on + 14)
    union all
    select
        submissions.invoice_number, 5 as place, 'claim_underpaid' as category, submissions.answered_on + 30 as seen_on
    from submissions
    where submissions.folder in ('response_received', 'approved', 'paid')
        and (submissions.next_sent_on is null or submissions.next_sent_on > submissions.answered_on + 30)
    union all
    select
        submissions.invoice_number, 6 as place, 'insurer_balance_aged' as category, submissions.sent_on + 61 as seen_on
    from submissions
    where submissions.folder <> 'waiting_on_primary'
        and (submissions.answered_on is null or submissions.answered_on > submissions.sent_on + 61)
        and (submissions.next_sent_on is null or submissions.next_sent_on > submissions.sent_on + 61)
    union all
    select touched.invoice_number, 7 as place, 'copay_missed' as category, touched.service_date + 1 as seen_on
    from touched
    inner join insured using (invoice_base)
    where touched.side = 'patient'
    union all
    select touched.invoice_number, 8 as place, 'patient_balance_aged' as category, touched.invoice_date + 31 as seen_on
    from touched
    where touched.side = 'patient'
        and touched.invoice_base not in (select insured.invoice_base from insured)
),

dated as (
    -- Before this edition was invoiced nothing of it was open.
    select
        candidates.invoice_number,
        candidates.place,
        candidates.category,
        cast(null as bigint) as appointment_id,
        greatest(candidates.seen_on, touched.invoice_date) as seen_on,
        greatest(candidates.seen_on, touched.invoice_date) as first_seen_on
    from candidates
    inner join touched using (invoice_number)
    where greatest(candidates.seen_on, touched.invoice_date) < touched.last_on
    qualify candidates.place = min(candidates.place) over (partition by candidates.invoice_number)
        or min(candidates.place) over (partition by candidates.invoice_number) > 2
    union all
    select
        touched.invoice_number,
        9 as place,
        late.category,
        late.appointment_id,
        late.charged_on - 1 as seen_on,
        late.first_seen_on
    from intermediate.late_charges as late
    inner join touched using (invoice_base)
)

select
    dated.invoice_number,
    dated.category,
    dated.appointment_id,
    dated.seen_on,
    dated.first_seen_on
from dated
qualify row_number() over (partition by dated.invoice_number, dated.seen_on order by dated.place) = 1
