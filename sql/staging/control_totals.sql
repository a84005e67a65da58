-- grain: one month in one currency of the portal's own totals, of those that end by D
-- key: period_to, currency
-- description: What the portal says was owed at the end of a month, or of the day on which it was asked.
select
    receivable.period_from,
    receivable.period_to,
    receivable.opening_cents,
    receivable.sales_cents,
    receivable.transactions_cents,
    receivable.opening_credits_cents,
    receivable.closing_credits_cents,
    receivable.credit_memos_cents,
    receivable.tips_cents,
    receivable.closing_cents,
    receivable.currency
from lake.accounts_receivable as receivable
cross join staging.clock as clock
where receivable.period_to <= clock.as_of
