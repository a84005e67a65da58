-- grain: one appointment of one patient on a day of a month that is over at D
-- key: appointment_id, patient
-- description: Appointments with what released tables split them by, unknown where it is not known. It is a table of
--   its own because counting patients once for each of them takes much memory over anything else.
select
    attended.appointment_id,
    attended.patient,
    strftime(attended.service_date, '%Y-%m') as month,
    attended.state,
    coalesce(attended.discipline, 'unknown') as discipline,
    coalesce(attended.staff_member, 'unknown') as staff_member,
    coalesce(appointment.location, 'unknown') as location,
    cast(attended.weekday as varchar) as weekday,
    lpad(cast(attended.local_hour as varchar), 2, '0') as hour,
    case
        when attended.lead_days is null then 'unknown'
        when attended.lead_days = 0 then '0'
        when attended.lead_days <= 3 then '1-3'
        when attended.lead_days <= 7 then '4-7'
        when attended.lead_days <= 14 then '8-14'
        when attended.lead_days <= 30 then '15-30'
        else 'over_30'
    end as lead_time,
    attended.lead_days,
    missed.service_date <= clock.as_of - 14 as is_due_14,
    missed.service_date <= clock.as_of - 30 as is_due_30,
    missed.days_after
from intermediate.attended as attended
cross join staging.clock as clock
inner join staging.appointments as appointment using (appointment_id, patient)
left join intermediate.missed_returns as missed using (appointment_id, patient)
where last_day(attended.service_date) <= clock.as_of
