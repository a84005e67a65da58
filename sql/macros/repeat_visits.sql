-- repeat_visits(visits, as_of, unit_days): what BG/NBD and MBG/NBD need to know of an entity.
--
-- visits names a table (series, entity, visit_on date), one row or more a visit day, none after as_of (a date). unit_days is
-- the length of the unit of time in days (a number: 7 for weeks).
--
-- Result, one row a series and entity: series, entity, x (visit days after the first), t_x (from the first to the last), t
-- (from the first to as_of), both in units, not rounded.
create or replace macro repeat_visits(visits, as_of, unit_days) as table
select
    visit.series,
    visit.entity,
    count(distinct visit.visit_on) - 1 as x,
    (max(visit.visit_on) - min(visit.visit_on)) / cast(unit_days as double) as t_x,
    (as_of - min(visit.visit_on)) / cast(unit_days as double) as t
from query_table(visits) as visit
group by visit.series, visit.entity;
