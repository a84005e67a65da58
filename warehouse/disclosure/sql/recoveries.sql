-- facts: one leak for which money came in, by the month of the first money if that is over at D
select
    recovery.patient,
    0 as others,
    strftime(recovery.first_money_on, '%Y-%m') as month,
    recovery.category,
    1 as leaks,
    recovery.leaked_cents,
    recovery.recovered_cents,
    recovery.recovered_by_us_cents
from leak_recoveries as recovery
where last_day(recovery.first_money_on) <= recovery.as_of
