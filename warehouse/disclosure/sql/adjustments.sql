-- cells: of adjustments
select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.things,
    cell.amount_cents
from cells_money as cell
where cell.base = 'adjustments'
