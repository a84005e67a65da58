-- cells: of episodes
select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.episodes,
    cell.first_visits,
    cell.second_visits,
    cell.visits,
    cell.rebooked,
    cell.reactivations
from cells_episodes as cell
where cell.table_name <> 'retention'
