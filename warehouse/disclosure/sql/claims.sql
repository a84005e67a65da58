-- cells: of claims
select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.claims,
    cell.answered,
    cell.rejected,
    cell.paid,
    cell.paid_days,
    cell.short_payments,
    cell.short_cents
from cells_claims as cell
