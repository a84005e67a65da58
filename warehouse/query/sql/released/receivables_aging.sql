-- grain: one age bucket, or one age bucket and payer; insurers and patients are not told apart
with cells as (
    select 'Insurers and patients' as series, cell.bucket, cell.invoices, cell.open_cents, cell.suppressed
    from released.receivables_by_bucket as cell
    where $split = 'side'
    union all
    select cell.payer, cell.bucket, cell.invoices, cell.open_cents, cell.suppressed
    from released.receivables_by_payer_bucket as cell
    where $split = 'payer'
),

buckets (place, bucket, title) as (
    values
    (1, 'not_due', 'Not due'),
    (2, '0-30', '0–30'),
    (3, '31-60', '31–60'),
    (4, '61-90', '61–90'),
    (5, '91-120', '91–120'),
    (6, 'over_120', 'Over 120')
)

select
    buckets.place,
    buckets.title as bucket,
    cell.series,
    cell.invoices,
    cell.open_cents as amount_cents,
    cell.suppressed as withheld
from cells as cell
inner join buckets using (bucket)
