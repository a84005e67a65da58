-- grain: one row
-- key: first_on
-- description: Since when payments are known: the first day that complete reports of applied payments cover; where none
--   says so, the month of the first payment. Empty where no payment is known.
select coalesce(min(coverage.first_on), cast(date_trunc('month', min(applied.first_on)) as date)) as first_on
from (select min(applied.applied_on) as first_on from staging.applied_payments as applied) as applied
left join settings.coverage as coverage on coverage.dataset = 'applied_payments'
