-- Seven leaks at 2026-09-30. Firm: 120.00 + 80.00 + 30.00 = 230.00. Likely: 95.00 + 95.00 + 50.00 = 240.00, so 470.00
-- is owed in 6 leaks of 4 patients. One estimate of 60.00 stands beside.
select
    category,
    source_id,
    occurred_on::date as occurred_on,
    amount_cents::bigint as amount_cents,
    'CAD' as currency,
    certainty,
    1::bigint as patients,
    patient,
    'Robin Mercer' as staff_member,
    'Harbour Street' as location,
    'Physiotherapy' as discipline,
    'Physiotherapy Treatment' as item,
    payer,
    appointment_id::bigint as appointment_id,
    invoice_number,
    invoice_date::date as invoice_date,
    claim_folder,
    claim_sent_on::date as claim_sent_on,
    claim_answered_on::date as claim_answered_on,
    null::date as policy_ended_on,
    amount_basis,
    category || '/' || source_id as leak_id,
    state,
    date '2026-09-30' - occurred_on::date as age_days,
    date '2026-09-30' as as_of
from (
    values
    ('claim_rejected', '1531-C01', '2026-07-02', 12000, 'firm', 'p1_aaa', 'Sun Life', null, '1531-C01', '2026-07-02', 'rejected', '2026-07-03', '2026-07-10', 'balance', 'assigned'),
    ('claim_never_sent', '1540-C01', '2026-08-14', 8000, 'firm', 'p1_bbb', 'Green Shield', null, '1540-C01', '2026-08-14', 'draft', null, null, 'balance', 'open'),
    ('copay_missed', '1531-P01', '2026-07-02', 3000, 'firm', 'p1_aaa', 'person', null, '1531-P01', '2026-07-02', null, null, null, 'balance', 'contacted'),
    ('arrived_no_charge', '9001', '2026-08-20', 9500, 'likely', 'p1_ccc', null, '9001', null, null, null, null, null, 'price_list', 'open'),
    ('arrived_no_charge', '9002', '2026-09-03', 9500, 'likely', 'p1_bbb', null, '9002', null, null, null, null, null, 'price_list', 'written_off'),
    ('no_show_fee', '9003', '2026-09-10', 5000, 'likely', 'p1_ddd', null, '9003', null, null, null, null, null, 'fee_policy', 'open'),
    ('visit_not_closed', '9004', '2026-09-15', 6000, 'estimate', 'p1_eee', null, '9004', null, null, null, null, null, 'history', 'open')
) as leak (
    category, source_id, occurred_on, amount_cents, certainty, patient, payer, appointment_id, invoice_number,
    invoice_date, claim_folder, claim_sent_on, claim_answered_on, amount_basis, state
)
