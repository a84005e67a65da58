-- cells: of invoices
select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.things,
    cell.amount_cents,
    cell.collected_cents,
    cell.adjusted_cents,
    cell.amount_cents - cell.contractual_cents as obtainable_cents,
    cell.collected_cents + cell.adjusted_cents as settled_cents
from cells_money as cell
where cell.base = 'invoices'
