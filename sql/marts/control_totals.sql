-- grain: one month of the portal's own totals in one currency, of those that end by D
-- key: period_to, currency
-- description: What is owed at the end of a month by our rows and by the portal's own total, and the difference. Both
--   count what waits for another insurer's answer, and both are less what was paid beyond totals. Change is what the
--   month added to the difference. Arithmetic is what is wrong within the portal's own row: opening + sales −
--   transactions + closing credits − opening credits − credit memos + tips − closing.
with sums as (
    select
        control.period_to,
        control.currency,
        coalesce(sum(day.amount_cents) filter (where day.side = 'patient'), 0) as patient_cents,
        coalesce(sum(day.amount_cents) filter (where day.side = 'insurer'), 0) as insurer_cents
    from staging.control_totals as control
    left join intermediate.receivable_days as day
        on day.currency = control.currency
        and day.on_day <= control.period_to
    group by control.period_to, control.currency
),

totals as (
    select
        control.period_from,
        control.period_to,
        cast(sums.patient_cents + sums.insurer_cents as bigint) as ours_cents,
        cast(sums.patient_cents as bigint) as patient_cents,
        cast(sums.insurer_cents as bigint) as insurer_cents,
        control.closing_cents as portal_cents,
        control.opening_cents + control.sales_cents - control.transactions_cents + control.closing_credits_cents
        - control.opening_credits_cents - control.credit_memos_cents + control.tips_cents - control.closing_cents
            as arithmetic_cents,
        control.currency
    from staging.control_totals as control
    inner join sums
        on sums.period_to = control.period_to
        and sums.currency = control.currency
)

select
    totals.period_from,
    totals.period_to,
    totals.portal_cents,
    totals.ours_cents,
    totals.patient_cents,
    totals.insurer_cents,
    totals.ours_cents - totals.portal_cents as difference_cents,
    totals.ours_cents - totals.portal_cents
    - coalesce(
        lag(totals.ours_cents - totals.portal_cents) over (partition by totals.currency order by totals.period_to), 0
    ) as change_cents,
    totals.arithmetic_cents,
    totals.currency,
    clock.as_of
from totals
cross join staging.clock as clock
order by totals.period_to, totals.currency
