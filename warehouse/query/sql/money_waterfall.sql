-- grain: one step on the way from what was expected to what was collected
-- meaning: the terms of the money identity added over the service months, the leaked money by category from the ledger.
--   Each step says where its bar begins: what is left after all steps is what was collected.
with months as (
    select money.*
    from money_identity as money
    where last_day(money.month_from) >= coalesce(cast($from::varchar as date), '-infinity'::date)
        and money.month_from <= coalesce(cast($to::varchar as date), 'infinity'::date)
),

totals as (
    select
        coalesce(sum(months.expected_cents), 0) as expected_cents,
        coalesce(sum(months.collected_cents), 0) as collected_cents,
        coalesce(sum(months.adjusted_cents), 0) as adjusted_cents,
        coalesce(sum(months.not_yet_due_cents), 0) as not_yet_due_cents,
        coalesce(sum(months.unreconciled_cents), 0) as unreconciled_cents
    from months
),

leaked as (
    select
        leak.category,
        sum(leak.amount_cents) as amount_cents
    from leak_months as leak
    where leak.certainty in ('firm', 'likely')
        and leak.month in (select months.month_from from months)
    group by leak.category
),

losses as (
    select
        1 as part,
        0 as place,
        'Adjusted' as step,
        'other' as kind,
        totals.adjusted_cents as amount_cents
    from totals
    union all
    select
        2 as part,
        coalesce(kind.place, 99) as place,
        coalesce(kind.title, leaked.category) as step,
        'leaked' as kind,
        leaked.amount_cents
    from leaked
    left join leak_category as kind using (category)
    union all
    select
        3 as part,
        0 as place,
        'Not yet due' as step,
        'other' as kind,
        totals.not_yet_due_cents as amount_cents
    from totals
    union all
    select
        4 as part,
        0 as place,
        'Unreconciled' as step,
        'other' as kind,
        totals.unreconciled_cents as amount_cents
    from totals
    where totals.unreconciled_cents <> 0
),

falling as (
    select
        losses.part,
        row_number() over (partition by losses.part order by losses.amount_cents desc, losses.place) as place,
        losses.step,
        losses.kind,
        losses.amount_cents,
        totals.expected_cents - sum(losses.amount_cents) over (
            order by losses.part, losses.amount_cents desc, losses.place
            rows between unbounded preceding and current row
        ) as left_cents
    from losses
    cross join totals
),

steps as (
    select
        0 as part,
        0 as place,
        'Expected' as step,
        'kept' as kind,
        totals.expected_cents as amount_cents,
        0 as base_cents
    from totals
    union all
    select
        falling.part,
        falling.place,
        falling.step,
        falling.kind,
        falling.amount_cents,
        -- what comes back (a negative loss) rises from where the step before it ended
        falling.left_cents + least(falling.amount_cents, 0) as base_cents
    from falling
    union all
    select
        5 as part,
        0 as place,
        'Collected' as step,
        'kept' as kind,
        totals.collected_cents as amount_cents,
        0 as base_cents
    from totals
)

select
    steps.part,
    steps.place,
    steps.step,
    steps.amount_cents,
    steps.amount_cents / nullif(totals.expected_cents, 0) as share,
    steps.base_cents,
    case when steps.kind = 'kept' then steps.amount_cents end as kept_cents,
    case when steps.kind = 'leaked' then abs(steps.amount_cents) end as leaked_cents,
    case when steps.kind = 'other' then abs(steps.amount_cents) end as other_cents
from steps
cross join totals
where totals.expected_cents <> 0
