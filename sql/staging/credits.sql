-- grain: one payer kind and currency with money on account
-- key: payer_kind, currency
-- description: Credits at D: money that came in by D and paid no invoice by then, less what of it was paid back. From
--   the report of applied payments, which dates both; where there is none, as the newest credits report up to D says.
with parts as (
    select
        applied.payer_kind,
        applied.currency,
        case when applied.received_on <= clock.as_of then applied.amount_cents else 0 end
        - case
            when applied.invoice_number <> '' and applied.applied_on <= clock.as_of then applied.amount_cents
            else 0
        end as credit_cents,
        'applied' as basis
    from lake.applied_payments as applied
    cross join staging.clock as clock
    union all
    select
        credit.payer_kind,
        credit.currency,
        credit.credit_cents,
        'reported' as basis
    from lake.credits as credit
    cross join staging.clock as clock
    where credit.as_of <= clock.as_of
        and not exists (select 1 from lake.applied_payments)
    qualify credit.as_of = max(credit.as_of) over ()
)

select
    case when parts.payer_kind = 'insurer' then 'insurer' else 'person' end as payer_kind,
    parts.currency,
    parts.basis,
    cast(sum(parts.credit_cents) as bigint) as credit_cents
from parts
group by 1, 2, 3
having sum(parts.credit_cents) <> 0
