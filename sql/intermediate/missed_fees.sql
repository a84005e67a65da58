-- grain: one missed appointment of one patient whose fee was neither invoiced nor waived
-- key: appointment_id, patient
-- description: Missed appointments left over when fee lines (a waived fee is a line of 0.00) pair with them, in the
--   order of start time and of invoice number, within patient, day, staff member and fee item.
with fee_invoices as (
    select
        line.patient,
        line.service_date,
        line.staff_member,
        line.item as fee_item,
        count(distinct line.invoice_base) as invoices
    from intermediate.standing_lines as line
    where line.item in (select fee.item from settings.fees as fee)
    group by line.patient, line.service_date, line.staff_member, line.item
)

select
    missed.appointment_id,
    missed.patient,
    missed.location,
    missed.staff_member,
    missed.item,
    missed.discipline,
    missed.kind,
    missed.service_date,
    missed.fee_cents
from intermediate.missed_appointments as missed
left join fee_invoices
    on fee_invoices.patient = missed.patient
    and fee_invoices.service_date = missed.service_date
    and fee_invoices.staff_member = missed.staff_member
    and fee_invoices.fee_item = missed.fee_item
cross join staging.clock as clock
where missed.place > coalesce(fee_invoices.invoices, 0)
    and missed.service_date <= clock.as_of - 2
