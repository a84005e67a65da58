-- cells: of appointments and hours
select
    cell.table_name,
    cell.value_a,
    cell.value_b,
    cell.patients,
    cell.appointments,
    cell.arrived,
    cell.no_shows,
    cell.cancelled,
    cell.arrived + cell.no_shows as expected,
    cell.arrived + cell.no_shows + cell.cancelled as decided,
    cell.with_lead,
    cell.lead_days,
    cell.due_14,
    cell.recovered_14,
    cell.due_30,
    cell.recovered_30,
    cell.open_minutes,
    cell.booked_minutes
from cells_appointments as cell
