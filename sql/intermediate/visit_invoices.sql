-- grain: one visit that has an invoice
-- key: appointment_id, patient
-- description: Visits paired with invoices. Those that share patient, day, staff member and item pair in the order
--   of start time and of invoice number; a package pass's line counts, any payer's line counts.
with bases as (
    select
        line.patient,
        line.service_date,
        line.staff_member,
        line.item,
        line.invoice_base,
        min(line.base_number) as base_number
    from intermediate.standing_lines as line
    group by line.patient, line.service_date, line.staff_member, line.item, line.invoice_base
),

placed_bases as (
    select
        bases.patient,
        bases.service_date,
        bases.staff_member,
        bases.item,
        bases.invoice_base,
        row_number() over (
            partition by bases.patient, bases.service_date, bases.staff_member, bases.item
            order by bases.base_number, bases.invoice_base
        ) as place
    from bases
)

select
    visit.appointment_id,
    visit.patient,
    placed_bases.invoice_base
from intermediate.visits as visit
inner join placed_bases
    on placed_bases.patient = visit.patient
    and placed_bases.service_date = visit.service_date
    and placed_bases.staff_member = visit.staff_member
    and placed_bases.item = visit.item
    and placed_bases.place = visit.place
