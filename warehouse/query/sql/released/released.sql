-- grain: one cell of one released table, and one measure of it
select
    cell.place,
    cell.dimension_1,
    cell.value_1,
    cell.dimension_2,
    cell.value_2,
    cell.measure,
    cell.unit,
    cell.value,
    cell.withheld
from released.cells as cell
where cell.table_name = $table
