-- severity: block
-- description: What is unreconciled in the money of all months stays within unreconciled_limit of what was expected.
--   Months count of which applied payments, adjustments and write-offs are all known.
-- remedy: Look at the named months in marts.money_identity of a build before, and import the sales, applied payments,
--   adjustments and write-off reports of those months again, all of one day. unreconciled_limit in clinic.yaml allows
--   more.
with known as (
    select max(coverage.first_on) as first_on
    from settings.coverage as coverage
    where coverage.dataset in ('applied_payments', 'adjustments', 'write_offs')
    having count(*) = 3
),

months as (
    select
        identity.month_from,
        identity.currency,
        identity.expected_cents,
        identity.unreconciled_cents,
        sum(abs(identity.unreconciled_cents)) over (partition by identity.currency) as all_unreconciled_cents,
        sum(identity.expected_cents) over (partition by identity.currency) as all_expected_cents
    from marts.money_identity as identity
    inner join known on identity.month_from >= known.first_on
)

select
    months.month_from,
    months.currency,
    months.expected_cents,
    months.unreconciled_cents
from months
cross join settings.clinic as clinic
where months.unreconciled_cents <> 0
    and months.all_unreconciled_cents * 1000000
    > greatest(months.all_expected_cents, 0) * clinic.unreconciled_per_million
order by abs(months.unreconciled_cents) desc, months.month_from, months.currency
