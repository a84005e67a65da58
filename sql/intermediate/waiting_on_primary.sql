-- grain: one open insurer invoice that has to wait for another insurer's answer
-- key: invoice_number
-- description: Of the insurers of one visit, those behind one that has not answered. Their order is that of the
--   first number each was billed or claimed under; one whose claim says that it waits stands last.
with shared as (
    select
        invoice.invoice_number,
        invoice.invoice_base,
        invoice.payer_id,
        claim.folder,
        coalesce(claim.answered_on is not null, false) as is_answered
    from intermediate.open_invoices as invoice
    left join intermediate.latest_claims as claim using (invoice_number)
    where invoice.side = 'insurer'
    qualify count(*) over (partition by invoice.invoice_base) > 1
),

numbers as (
    select line.invoice_base, line.payer_id, line.invoice_sequence
    from staging.invoice_lines as line
    where line.side = 'insurer'
        and line.invoice_base in (select shared.invoice_base from shared)
    union all
    select claim.invoice_base, claim.payer_id, claim.invoice_sequence
    from staging.claims as claim
    where claim.invoice_base in (select shared.invoice_base from shared)
),

first_numbers as (
    select
        numbers.invoice_base,
        numbers.payer_id,
        min(numbers.invoice_sequence) as first_sequence
    from numbers
    group by numbers.invoice_base, numbers.payer_id
),

ranked as (
    select
        shared.invoice_number,
        shared.invoice_base,
        shared.is_answered,
        row_number() over (
            partition by shared.invoice_base
            order by
                coalesce(shared.folder = 'waiting_on_primary', false), first_numbers.first_sequence,
                shared.invoice_number
        ) as place
    from shared
    inner join first_numbers using (invoice_base, payer_id)
)

select ranked.invoice_number
from ranked
where exists (
    select 1
    from ranked as ahead
    where ahead.invoice_base = ranked.invoice_base
        and ahead.place < ranked.place
        and not ahead.is_answered
)
