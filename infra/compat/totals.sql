select 'appointments' as what, count(*) as rows, null as cents from lake.appointments
union all select 'applied_payments', count(*), sum(amount_cents) from lake.applied_payments
union all select 'claims', count(*), sum(claimed_cents) from lake.claims
union all select 'invoice_lines', count(*), sum(total_cents) from lake.invoice_lines
union all select 'payments', count(*), sum(paid_to_clinic_cents) from lake.payments
union all select 'leak_ledger', count(*), sum(amount_cents) from marts.leak_ledger
union all select 'money_identity', count(*), null from marts.money_identity
union all select 'patient_status', count(*), null from marts.patient_status
union all select 'visits_by_week', count(*), null from marts.visits_by_week
order by all
