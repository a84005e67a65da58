package dictionary

// examples are by full name. Each shows what its table is for, and runs as it stands: in falloff sql, and in any DuckDB that
// has run the script of falloff sql --init. A test runs them on a simulated clinic.
var examples = map[string]string{ //nolint:gosec // queries, in which it sees a password
	"lake.appointments": `-- What became of the appointments of each month.
select date_trunc('month', service_date) as month, state, count(*) as appointments
from lake.appointments
where patient is not null
group by all
order by month, state`,
	"lake.invoice_lines": `-- Invoiced and still open, by month of service. A reversal takes its original away again.
select date_trunc('month', purchase_date) as month, sum(total_cents) / 100 as invoiced, sum(balance_cents) / 100 as open
from lake.invoice_lines
where not is_prepay
group by all
order by month`,
	"lake.payments": `-- Money that came in and went back, by month and method.
select date_trunc('month', received_on) as month, method, kind, sum(amount_cents) / 100 as amount
from lake.payments
group by all
order by month, method, kind`,
	"lake.applied_payments": `-- How long after the service an invoice is paid.
select payer_kind, median(applied_on - purchase_date) as days, count(*) as applications
from lake.applied_payments
where applied_on is not null and purchase_date is not null
group by payer_kind
order by payer_kind`,
	"lake.claims": `-- Where the claims of each insurer stand.
select coalesce(insurer.name, 'other insurer') as insurer, claim.folder, count(*) as claims, sum(claim.claimed_cents) / 100 as claimed
from lake.claims as claim
left join lake.insurers as insurer using (payer_id)
group by all
order by insurer, claim.folder`,
	"lake.policies": `-- Policies by status, and how many treatments are left on those with a maximum.
select status, count(*) as policies, sum(greatest(max_treatments - treatments_used, 0)) as treatments_left
from lake.policies
group by status
order by status`,
	"lake.shifts": `-- Hours by practitioner and month, from the reports of single days.
select staff_member, date_trunc('month', period_from) as month, sum(shift_minutes - break_minutes) / 60 as hours
from lake.shifts
group by all
order by staff_member, month`,
	"lake.shift_periods": `-- Hours by practitioner, from the reports of longer periods.
select staff_member, period_from, period_to, booked_minutes / nullif(shift_minutes - break_minutes, 0) as utilisation
from lake.shift_periods
order by staff_member, period_from`,
	"lake.adjustments": `-- What was taken off invoices without money, by month and kind.
select date_trunc('month', adjusted_on) as month, kind, sum(amount_cents) / 100 as amount
from lake.adjustments
group by all
order by month, kind`,
	"lake.write_offs": `-- Written off, by month and payer.
select date_trunc('month', adjusted_on) as month, payer_kind, sum(amount_cents) / 100 as amount
from lake.write_offs
group by all
order by month, payer_kind`,
	"lake.credits": `-- Money on account, which the clinic owes, on the newest day that is known.
select as_of, payer_kind, count(*) as accounts, sum(credit_cents) / 100 as amount
from lake.credits
where as_of = (select max(as_of) from lake.credits)
group by all`,
	"lake.accounts_receivable": `-- Whether the portal's own totals add up: the difference is 0.
select period_from, opening_cents + sales_cents - transactions_cents + closing_credits_cents - opening_credits_cents
    - credit_memos_cents + tips_cents - closing_cents as difference_cents
from lake.accounts_receivable
order by period_from`,
	"lake.unscheduled_patients": `-- Who has been seen and has no booking ahead, longest first.
select patient, discipline, last_visit_on
from lake.unscheduled_patients
order by last_visit_on
limit 20`,
	"lake.portal_activity": `-- What the portal's own log says that our account did, by day.
select occurred_on, action, count(*) as lines
from lake.portal_activity
group by all
order by occurred_on, action`,
	"lake.insurers": `-- The insurers that are known by name.
select name, payer_id
from lake.insurers
order by name`,
	"lake.access_ledger": `-- What falloff did in the portal, by day, and what of it failed.
select occurred_on, action, count(*) as times, count(*) filter (where outcome <> 'done') as failed
from lake.access_ledger
group by all
order by occurred_on, action`,
	"lake.leak_states": `-- Who has what as a task, and since when.
select assignee, leak_id, state, said_on
from lake.leak_states
qualify row_number() over (partition by leak_id order by sequence desc) = 1 and state in ('assigned', 'contacted')
order by assignee, said_on`,
	"lake.identities": `-- How many patients' names are kept. They are sealed: no view shows them.
select count(*) as patients
from lake.identities`,

	"marts.adjustments_by_month": `select month_from, kind, payer_kind, amount_cents / 100 as amount
from marts.adjustments_by_month
order by month_from, kind, payer_kind`,
	"marts.billing_warnings": `-- What to do first: the money and the policies with the fewest days left.
select kind, reason, payer, days_left, amount_cents / 100 as amount, bookings_uncovered
from marts.billing_warnings
order by days_left, amount_cents desc
limit 20`,
	"marts.cohort_retention": `-- Of those who began in a month, the share with a visit three months later.
select discipline, cohort_month, cohort_size, active_share
from marts.cohort_retention
where month_index = 3 and is_complete
order by discipline, cohort_month`,
	"marts.payer_performance": `-- How insurers answer and pay, all months together.
select payer, claims_sent, rejection_rate, median_days_to_pay, p90_days_to_pay, short_cents / 100 as short, open_cents / 100 as open
from marts.payer_performance
where sent_month = 'all'
order by payer`,
	"marts.falloff_watch": `-- How many lapsed each week, of how many who could have.
select week_from, sum(lapses) as lapses, sum(trials) as trials
from marts.falloff_watch
where is_complete
group by week_from
order by week_from desc
limit 12`,
	"marts.caseload": `-- Whom each practitioner saw last and might call: at risk, and nothing booked.
select staff_member, patient, discipline, days_since
from marts.caseload
where is_latest and status = 'at_risk'
order by staff_member, days_since`,
	"marts.cells_appointments": `-- The months in which the fewest patients had an appointment: where there are 1 to 10, the released total is withheld.
select value_a as month, patients
from marts.cells_appointments
where table_name = 'month'
order by patients, month
limit 12`,
	"marts.cells_claims": `-- The insurers of the fewest patients: where there are 1 to 10, their numbers are withheld.
select value_a as payer, patients, claims
from marts.cells_claims
where table_name = 'payer'
order by patients, payer
limit 12`,
	"marts.cells_episodes": `-- How many episodes lapsed in each span of days.
select value_a as course, value_b as from_day, episodes, patients
from marts.cells_episodes
where table_name = 'course_days'
order by course, from_day`,
	"marts.cells_money": `-- Which ages of open balances are of the fewest patients.
select value_a as payer, value_b as bucket, patients, amount_cents
from marts.cells_money
where base = 'receivables' and table_name = 'payer_bucket'
order by patients, payer, bucket
limit 12`,
	"marts.collections_by_month": `-- What of each month's services was collected, by who pays.
select month_from, payer_kind, collected_cents / 100 as collected, gross_rate, net_rate
from marts.collections_by_month
order by month_from, payer_kind`,
	"marts.control_totals": `-- In which month the difference to the portal's own total came in.
select period_to, portal_cents / 100 as portal, ours_cents / 100 as ours, change_cents / 100 as change
from marts.control_totals
order by period_to`,
	"marts.leak_recoveries": `-- What was recovered by month, and what of it because somebody took the leak up.
select date_trunc('month', last_money_on) as month, category, sum(recovered_cents) / 100 as recovered, sum(recovered_by_us_cents) / 100 as by_us
from marts.leak_recoveries
group by all
order by month, category`,
	"marts.episode_status": `-- Episodes at risk: whom to call first.
select patient, discipline, days_since, usual_gap_days
from marts.episode_status
where status = 'at_risk'
order by days_since / usual_gap_days desc
limit 20`,
	"marts.falloff_by_days": `-- The curve of all patients together, at some days.
select time, survival, ci_low, ci_high, n_risk
from marts.falloff_by_days
where definition = 'first_lapse' and discipline = 'all' and dimension = 'all'
order by time`,
	"marts.falloff_by_visit": `-- After which visit patients stop.
select visit_number, visits, stopping_share
from marts.falloff_by_visit
where discipline = 'all' and dimension = 'all' and visit_number <= 12
order by visit_number`,
	"marts.falloff_outcomes": `-- Who has finished and who has fallen off, a quarter after the first visit.
select discipline, outcome, max(incidence) as share
from marts.falloff_outcomes
where time <= 91
group by all
order by discipline, outcome`,
	"marts.falloff_summary": `-- Practitioners of the first visit beside each other.
select value as staff_member, episodes, median_visits, median_days, conversion_share, rebooked_share
from marts.falloff_summary
where discipline = 'all' and dimension = 'staff_member'
order by episodes desc`,
	"marts.leak_ledger": `-- Leaked revenue by category; estimates stand apart.
select category, certainty, count(*) as leaks, sum(amount_cents) / 100 as amount, min(occurred_on) as oldest
from marts.leak_ledger
group by all
order by amount desc`,
	"marts.money_identity": `-- Where each month's money went, in shares of what was expected.
select month_from, expected_cents / 100 as expected, collected_cents / nullif(expected_cents, 0) as collected,
    leaked_cents / nullif(expected_cents, 0) as leaked, unreconciled_cents / 100 as unreconciled
from marts.money_identity
order by month_from`,
	"marts.missed_recovery": `-- Who came back after a no-show or cancellation.
select month, kind, due_30, recovered_30, recovered_share_30
from marts.missed_recovery
where discipline = 'all' and kind <> 'all' and is_complete
order by month, kind`,
	"marts.outlook_calibration": `-- Do the visits that were expected come? By tenths of the patients, from those expected least.
select discipline, tenth, patients, predicted_visits, observed_visits
from marts.outlook_calibration
where rule = 'p_alive'
order by discipline, tenth`,
	"marts.outlook_models": `-- Which rule ranked better on the last 90 days.
select discipline, fitted_to, concordance_p_alive, concordance_days_over_gap, ranked_by
from marts.outlook_models
order by discipline`,
	"marts.patient_outlook": `-- The work list: whom to call first.
select list_rank, patient, discipline, days_since, expected_visits_lost, ranked_by
from marts.patient_outlook
where list_rank <= 20
order by list_rank`,
	"marts.patient_status": `select status, count(*) as patients
from marts.patient_status
group by status
order by status`,
	"marts.receivables_aging": `-- What is owed, by age since the service.
select side, bucket, sum(amount_cents) / 100 as amount
from marts.receivables_aging
where basis = 'service' and not is_waiting
group by all
order by side, bucket`,
	"marts.show_rates": `-- Who comes, by how long before the appointment was booked.
select value as booked_days_before, expected, show_share, decided, kept_share
from marts.show_rates
where month = 'all' and dimension = 'lead_time'
order by place`,
	"marts.receivables_summary": `-- Days of charges that are still owed.
select side, open_cents / 100 as open, net_cents / 100 as net, days_in_receivables
from marts.receivables_summary
order by side`,
	"marts.staff_hours": `select staff_member, date_trunc('month', period_from) as month,
    sum(booked_minutes) / nullif(sum(shift_minutes - break_minutes), 0) as utilisation
from marts.staff_hours
group by all
order by staff_member, month`,
	"marts.figures_by_month": `-- Leaked money by month.
select month, currency, sum(amount) / 100 as leaked
from marts.figures_by_month
where figure = 'leaked' and detail <> 'estimate'
group by all
order by month`,
	"marts.published_figures": `-- Closed months: published, and restated since.
select month, currency, sum(published) / 100 as published, sum(restated) / 100 as restated
from marts.published_figures
where figure = 'leaked' and detail <> 'estimate'
group by all
order by month`,
	"marts.restatements": `-- What later data changed in closed months, and since when.
select month, figure, category, published, restated, first_seen
from marts.restatements
where is_current
order by month, figure`,
	"marts.visits_by_week": `-- Visits by week.
select week_from, sum(appointments) as visits
from marts.visits_by_week
where state = 'arrived' and is_complete
group by week_from
order by week_from`,
}
