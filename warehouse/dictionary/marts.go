package dictionary

import (
	"slices"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// What the columns of the marts mean. D is the day that a mart speaks about, its as_of.

func said(meaning string) Column { return Column{Sensitivity: contract.Business, Meaning: meaning} }

func (c Column) in(unit string) Column               { c.Unit = unit; return c }
func (c Column) orNull() Column                      { c.Nullable = true; return c }
func (c Column) as(kind contract.Sensitivity) Column { c.Sensitivity = kind; return c }
func counting(things, meaning string) Column         { return said(meaning).in(things) }
func person(meaning string) Column                   { return said(meaning).as(contract.Pseudonym) }
func cents(meaning string) Column                    { return said(meaning).in("cents") }
func days(meaning string) Column                     { return said(meaning).in("days") }
func ours(meaning string) Column                     { return said(meaning).as(contract.Public) }

// martColumn explains a column of a mart: what is said of it there, else what it means in all of them that hold figures, else
// what it means in all of them.
func martColumn(mart, name string) Column {
	if c, ok := martColumns[mart][name]; ok {
		return c
	}
	if c, ok := figureColumns[name]; ok && slices.Contains(figureMarts, mart) {
		return c
	}
	if c, ok := seriesColumns[name]; ok && slices.Contains(seriesMarts, mart) {
		return c
	}
	return sharedColumns[name]
}

// sharedColumns mean the same in every mart that has them.
var sharedColumns = map[string]Column{
	"as_of":        ours("D, the day by whose end everything in the table had happened."),
	"history_from": ours("First day that the clinic's complete reports cover: what was before is not known.").orNull(),
	"currency":     ours("ISO 4217 code of all amounts."),
	"discipline":   said("The item's discipline by clinic.yaml's price list; Unspecified where no price names the item."),
	"staff_member": said("Name of the practitioner, or a pseudonym where clinic.yaml says so."),
	"location":     said("Name of the clinic's location."),
	"payer_kind":   said("person or insurer."),
}

// figureMarts hold figures of a month, one a row, and figureColumns name a figure in each of them.
var (
	figureMarts   = []string{"figures_by_month", "published_figures", "restatements"}
	figureColumns = map[string]Column{
		"month":      said("YYYY-MM that the figure is about."),
		"figure":     said("What is counted or summed: leaked, leaks, charged, open, invoices, receivable, adjusted, appointments, patients_seen, episodes_begun, episodes_lapsed, open_hours, booked_hours."),
		"category":   said("What the figure is split by first: the kind of leak, who pays, the appointments' state; empty where it is not split."),
		"detail":     said("What it is split by next: a leak's certainty, who an adjustment was for; else empty."),
		"discipline": said("Discipline; empty where the figure is not split by it."),
		"location":   said("Location; empty where the figure is not split by it."),
		"currency":   ours("ISO 4217 code of an amount; empty for what is no money."),
		"unit":       ours("What the number is in: cents, count or minutes."),
	}
)

// seriesMarts speak about series of episodes, and seriesColumns say which.
var (
	seriesMarts   = []string{"falloff_by_days", "falloff_by_visit", "falloff_summary"}
	seriesColumns = map[string]Column{
		"discipline":   said("Discipline of the episodes; all for all of them together."),
		"dimension":    said("What the episodes are split by beside the discipline: all (nothing), cohort_month, staff_member, location, payer_kind or beginning."),
		"value":        said("The one it is about: the YYYY-MM of the first visit, its practitioner or location, insurer, person or none as who was billed for it, new or returning; all where dimension is all."),
		"falloff_days": days("Gap without a visit or booking that counts as a lapse."),
		"is_complete":  said("Whether every episode of a cohort_month could have fallen off by D; true for other dimensions."),
	}
)

const meaningReconstructed = "Whether a change without a date, seen only after D, could make the status another: the patient has left the list of unscheduled patients, or a booking ahead is archived."

// martColumns are by mart and column.
var martColumns = map[string]map[string]Column{
	"adjustments_by_month": {
		"month_from":   said("First day of the month in which it was taken off."),
		"kind":         said("write_off, credit_memo, contractual, reversal or other."),
		"invoices":     counting("invoices", "Different invoices that were adjusted."),
		"amount_cents": cents("What was taken off, less what was undone."),
	},
	"billing_warnings": {
		"kind":                 said("filing_limit_risk or policy_running_out."),
		"reason":               said("Of a filing limit near (14 days or less) or past; of a policy ending, treatments or maximum."),
		"source_id":            said("The current invoice number, or the policy's pseudonym.").as(contract.Pseudonym),
		"patient":              person("Pseudonym of the patient."),
		"payer":                said("The insurer by name, or other insurer."),
		"due_on":               said("Last day on which the insurer takes the claim; the policy's End Date; or the day of the first booking that it no longer pays."),
		"days_left":            days("From D to due_on; negative where it is past."),
		"amount_cents":         cents("Balance that is at risk; none of a policy.").orNull(),
		"service_date":         said("Local day of the service; none of a policy.").orNull(),
		"staff_member":         said("Name of the practitioner, or a pseudonym where clinic.yaml says so; none of a policy.").orNull(),
		"location":             said("Name of the clinic's location; none of a policy.").orNull(),
		"claim_folder":         said("Where the newest claim stands: draft, unsubmitted or rejected; none where there is no claim.").orNull(),
		"limit_days":           days("Filing limit, from the service; none of a policy.").orNull(),
		"is_default_limit":     said("Whether the limit is a default, because clinic.yaml has none for the insurer.").orNull(),
		"used_treatments":      counting("treatments", "Treatments used on the policy by D.").orNull(),
		"max_treatments":       counting("treatments", "Max Treatments of the policy.").orNull(),
		"used_cents":           cents("Billed to the insurer by D.").orNull(),
		"policy_maximum_cents": cents("Policy Maximum.").orNull(),
		"bookings_ahead":       counting("appointments", "The patient's bookings after D.").orNull(),
		"bookings_uncovered":   counting("appointments", "Those of them that the policy will not pay for the reason given.").orNull(),
	},
	"cohort_retention": {
		"discipline":   said("Discipline of the episodes; all for all of them together."),
		"cohort_month": said("YYYY-MM of the episode's first visit."),
		"month_index":  counting("months", "Calendar months since that of the first visit, which is 0."),
		"cohort_size":  counting("episodes", "Episodes that began in the cohort's month."),
		"active":       counting("episodes", "Those of them with a visit in the calendar month."),
		"active_share": said("active ÷ cohort_size, 0 to 1."),
		"is_complete":  said("Whether the calendar month is over at D."),
	},
	"collections_by_month": {
		"month_from":        said("First day of the month of the services."),
		"payer_kind":        said("insurer, person, none for what was not invoiced, or all for the month together."),
		"invoices":          counting("invoices", "Standing invoices, without those that wait for another insurer's answer."),
		"expected_cents":    cents("Their totals; for none, the expected price or fee of what is owed and was not invoiced."),
		"collected_cents":   cents("Paid on them by D, less refunds and bounces."),
		"adjusted_cents":    cents("Credit memos, contractual reductions and other adjustments; write-offs are not in it."),
		"contractual_cents": cents("Of that, contractual reductions: what was never to be had."),
		"written_off_cents": cents("Written off and not taken back."),
		"open_cents":        cents("Open balances."),
		"gross_rate":        said("collected ÷ expected; none where nothing was expected.").orNull(),
		"settled_rate":      said("(collected + adjusted) ÷ expected.").orNull(),
		"net_rate":          said("collected ÷ (expected − contractual).").orNull(),
	},
	"control_totals": {
		"period_from":      said("First day of the month."),
		"period_to":        said("Last day of it, or the day on which the portal was asked."),
		"portal_cents":     cents("What the portal says was owed at its end."),
		"ours_cents":       cents("What our rows say, less what was paid beyond totals."),
		"patient_cents":    cents("Of ours, what patients owe."),
		"insurer_cents":    cents("Of ours, what insurers owe, including what waits for another insurer's answer."),
		"difference_cents": cents("ours − portal; 0 where the reports agree."),
		"change_cents":     cents("What this month added to the difference."),
		"arithmetic_cents": cents("By how much the portal's own row does not add up."),
	},
	"episode_status": {
		"patient":          person("Pseudonym of the patient."),
		"episode_id":       person("Patient, discipline and first day of the episode, which keep it apart from others."),
		"episode_number":   counting("episodes", "Which of the patient's episodes in the discipline it is, from 1."),
		"beginning":        said("How it began: new, returning, or unknown where the history is too short to tell."),
		"status":           said("finished (the source says so), active (a booking ahead, or a visit lately), at_risk or fallen_off."),
		"first_on":         said("Local day of its first visit."),
		"last_on":          said("Local day of its last visit."),
		"visit_days":       days("Days with a visit."),
		"days_since":       days("From the last visit to D."),
		"usual_gap_days":   days("Median gap between visit days in the episode; with one visit day, the discipline's."),
		"next_booking_on":  said("Local day of the next booking in the discipline; none where nothing is booked.").orNull(),
		"is_reconstructed": said(meaningReconstructed),
	},
	"falloff_by_days": {
		"definition": said("How falloff is timed: first_lapse, from the first visit to the start of the first gap without visit and booking, plus falloff_days; last_visit, to the last visit."),
		"time":       days("Since the episode's first visit."),
		"n_risk":     counting("episodes", "Episodes that had not fallen off and were still observed just before this day."),
		"n_event":    counting("episodes", "Episodes that fell off on this day."),
		"n_censor":   counting("episodes", "Episodes whose observation ends on this day without falling off: the curve's censoring marks."),
		"survival":   said("Share that has not fallen off after this day (Kaplan–Meier), 0 to 1."),
		"std_err":    said("Greenwood's standard error of survival; none where survival is 0.").orNull(),
		"ci_low":     said("Lower end of the log-log 95 % interval; none where survival is 0 or 1.").orNull(),
		"ci_high":    said("Upper end of it.").orNull(),
	},
	"falloff_by_visit": {
		"visit_number":   counting("visits", "n: which visit day of an episode, from 1."),
		"visits":         counting("visits", "n-th visit days at least falloff_days before D."),
		"stopped":        counting("visits", "Those of them that were followed by a lapse, the episode's first or a later one."),
		"stopping_share": said("stopped ÷ visits, 0 to 1: the hazard of stopping after visit n."),
		"n_risk":         counting("episodes", "Episodes without a lapse before their n-th visit, and with one old enough to tell."),
		"n_event":        counting("episodes", "Those whose first lapse followed it."),
		"n_censor":       counting("episodes", "Those without a lapse, of whose visits it is the last that is old enough to tell."),
		"survival":       said("Share without a lapse after visit n (Kaplan–Meier), 0 to 1; none where nobody is at risk.").orNull(),
		"std_err":        said("Greenwood's standard error of survival; none where survival is 0.").orNull(),
		"ci_low":         said("Lower end of the log-log 95 % interval; none where survival is 0 or 1.").orNull(),
		"ci_high":        said("Upper end of it.").orNull(),
	},
	"falloff_outcomes": {
		"discipline":   said("Discipline of the episodes; all for all of them together."),
		"outcome":      said("finished or fallen_off."),
		"time":         days("Since the episode's first visit."),
		"n_risk":       counting("episodes", "Episodes that had come to neither end and were still observed just before this day."),
		"n_event":      counting("episodes", "Episodes that came to this end on this day."),
		"n_censor":     counting("episodes", "Episodes whose observation ends on this day without an end."),
		"incidence":    said("Share that has come to this end by this day (Aalen–Johansen), 0 to 1."),
		"falloff_days": days("Gap without a visit or booking that counts as a lapse."),
	},
	"falloff_summary": {
		"episodes":           counting("episodes", "Episodes of the series."),
		"lapsed":             counting("episodes", "Those with a lapse by D."),
		"median_days":        days("From the first visit to the first lapse for half of the episodes: the first day with survival at or below one half; none where the curve stays above.").orNull(),
		"median_days_low":    days("Lower end of its 95 % interval: where ci_low is at or below one half.").orNull(),
		"median_days_high":   days("Upper end of it: where ci_high is; none where it stays above.").orNull(),
		"median_visits":      counting("visits", "Visits up to the first lapse for half of the episodes; none where the curve stays above one half.").orNull(),
		"median_visits_low":  counting("visits", "Lower end of its 95 % interval.").orNull(),
		"median_visits_high": counting("visits", "Upper end of it.").orNull(),
		"first_visits":       counting("episodes", "First visits at least falloff_days before D."),
		"second_visits":      counting("episodes", "Those of them that a second visit of the episode followed by D."),
		"conversion_share":   said("second_visits ÷ first_visits, 0 to 1; none without such first visits.").orNull(),
		"visits":             counting("visits", "Visit days of the episodes by D."),
		"rebooked":           counting("visits", "Those at whose end a booking for a later day stood in the discipline."),
		"rebooked_share":     said("rebooked ÷ visits, 0 to 1."),
		"reactivations":      counting("visits", "Visits after a spell in which the patient was fallen_off in the discipline, by the episode of the spell."),
	},
	"figures_by_month": {
		"amount":      said("The figure at D, in its unit."),
		"is_complete": said("Whether the month is over at D by the longest falloff_days, and history began before it."),
	},
	"leak_ledger": {
		"category":          said("The kind of leak: visit_not_closed, arrived_no_charge, no_show_fee, late_cancel_fee, after_policy_end, over_policy_maximum, claim_never_sent, claim_rejected, claim_underpaid, insurer_balance_aged, copay_missed, patient_balance_aged, write_off or idle_capacity."),
		"source_id":         said("What it was found on: the appointment's id, the current invoice number, or staff member and day. With category it identifies the leak at D."),
		"occurred_on":       said("Local day of the service."),
		"amount_cents":      cents("What is missing: a balance, a fee, the price that was to be expected, what was written off, or what idle hours would have brought.").orNull(),
		"certainty":         said("firm, likely, or estimate: of idle capacity, and where no price was known; estimates are never added to money owed."),
		"patients":          counting("patients", "Patients of the appointment, more than one in a group booking."),
		"patient":           person("Pseudonym of the patient; none for a group.").orNull(),
		"staff_member":      said("Name of the practitioner, or a pseudonym where clinic.yaml says so; none where a group's differ.").orNull(),
		"location":          said("Name of the clinic's location; none where a group's differ.").orNull(),
		"discipline":        said("The item's discipline by clinic.yaml's price list; none where a group's differ.").orNull(),
		"item":              said("Treatment or item: of an invoice with several lines, the dearest; none where a group's differ.").orNull(),
		"payer":             said("Who owes it: the insurer by name, other insurer, or person; none for what was not invoiced.").orNull(),
		"appointment_id":    said("The appointment, for leaks found on one.").orNull(),
		"invoice_number":    said("The current invoice, for leaks found on one.").orNull(),
		"invoice_date":      said("Local day of the invoice.").orNull(),
		"claim_folder":      said("Where the newest claim of the invoice stands.").orNull(),
		"claim_sent_on":     said("Day on which it was submitted.").orNull(),
		"claim_answered_on": said("Day of the answer.").orNull(),
		"policy_ended_on":   said("End Date of the policy, where the visit was after it.").orNull(),
		"amount_basis":      said("Where the amount is from: balance, write_off, fee_policy, price_list, history (the commonest total of 90 days), hourly_rate (collected a booked hour over 90 days) or none."),
		"leak_id":           said("Names the leak while its invoice is renumbered: category, invoice, side and insurer; or category and source_id.").as(contract.Pseudonym),
		"state":             said("open, or what people last said: assigned, contacted, recovered, written_off, expired."),
		"age_days":          days("From the service to D."),
	},
	"missed_recovery": {
		"month":              said("YYYY-MM of the missed day; all for every month together."),
		"kind":               said("no_show or cancellation; all for both."),
		"discipline":         said("Discipline of the appointment; all for all of them together."),
		"missed":             counting("appointments", "No-shows and cancellations on days that are over."),
		"due_14":             counting("appointments", "Those at least 14 days before D."),
		"recovered_14":       counting("appointments", "Those of due_14 whose patient was seen in the discipline within 14 days after."),
		"recovered_share_14": said("recovered_14 ÷ due_14, 0 to 1; none where none is old enough.").orNull(),
		"due_30":             counting("appointments", "Those at least 30 days before D."),
		"recovered_30":       counting("appointments", "Those of due_30 whose patient was seen in the discipline within 30 days after."),
		"recovered_share_30": said("recovered_30 ÷ due_30, 0 to 1; none where none is old enough.").orNull(),
		"is_complete":        said("Whether the month's last day is 30 days before D, and history began before the month."),
	},
	"leak_recoveries": {
		"leak_id":               said("Names the leak as in leak_ledger.").as(contract.Pseudonym),
		"category":              said("The kind of leak it was."),
		"first_seen_on":         said("Day at whose end the ledger first had it."),
		"leaked_cents":          cents("Balance just before the first money that came for it."),
		"recovered_cents":       cents("Of that, what came in, less what bounced or was paid back."),
		"recovered_by_us_cents": cents("Of that, what came after a day on which somebody had the leak as a task."),
		"state":                 said("recovered once all of it is in; else what people last said of it, or open."),
		"first_money_on":        said("Day of the first money."),
		"last_money_on":         said("Day of the last movement of money."),
		"task_on":               said("First day on which somebody had it as a task; none where nobody had.").orNull(),
		"patient":               person("Pseudonym of the patient."),
		"payer":                 said("The insurer by name, other insurer, or person; none for what had not been invoiced.").orNull(),
		"appointment_id":        said("The appointment, for leaks found on one.").orNull(),
		"invoice_number":        said("The invoice that was paid; none where there are several.").orNull(),
	},
	"money_identity": {
		"month_from":         said("First day of the month of the services."),
		"expected_cents":     cents("Standing invoice lines, and the expected price or fee of what was not invoiced and is owed."),
		"collected_cents":    cents("Payments applied to those lines, less refunds, bounces and what was paid beyond a total."),
		"adjusted_cents":     cents("Taken off them without money: credit memos, contractual reductions."),
		"leaked_cents":       cents("Firm and likely rows of the leak ledger, write-offs included."),
		"not_yet_due_cents":  cents("Open balances that no category of the ledger owns."),
		"unreconciled_cents": cents("expected less the four other terms; 0 where the reports agree."),
		"overpaid_cents":     cents("Paid beyond invoices' totals and owed to the payers; in no term."),
		"collected_basis":    said("applied where the report of applied payments goes back to the month, else sales: the sales report's own column; both in the month in which it begins."),
	},
	"patient_status": {
		"patient":          person("Pseudonym of the patient."),
		"status":           said("finished where the source says so, else the most engaged of the patient's episodes: active, at_risk or fallen_off; a booking ahead makes active."),
		"disciplines":      counting("disciplines", "Disciplines in which the patient has been seen."),
		"visit_days":       days("Days with a visit in the current episodes, added over disciplines."),
		"last_on":          said("Local day of the last visit."),
		"days_since":       days("From the last visit to D."),
		"next_booking_on":  said("Local day of the next booking; none where nothing is booked.").orNull(),
		"is_reconstructed": said(meaningReconstructed),
	},
	"payer_performance": {
		"payer":              said("The insurer by name, or other insurer."),
		"sent_month":         said("YYYY-MM of the submission, none for open invoices of which no claim was sent, or all."),
		"claims_sent":        counting("claims", "Submissions; a resubmission is another."),
		"claims_answered":    counting("claims", "Those of them that were answered by D."),
		"claims_rejected":    counting("claims", "Those of them that were rejected."),
		"rejection_rate":     said("rejected ÷ answered; none where none was answered.").orNull(),
		"claims_paid":        counting("claims", "Submissions after which money came, before the next submission of the same invoice."),
		"paid_days":          days("From submission to the first money, added over the paid ones."),
		"mean_days_to_pay":   said("paid_days ÷ paid.").orNull(),
		"median_days_to_pay": said("Days within which half of the paid ones were paid.").orNull(),
		"p90_days_to_pay":    days("Days within which nine in ten of them were paid.").orNull(),
		"short_payments":     counting("invoices", "Open invoices whose newest claim was answered, not rejected."),
		"short_cents":        cents("Their balances."),
		"open_invoices":      counting("invoices", "Open invoices, by their newest claim."),
		"open_cents":         cents("Their balances."),
		"oldest_open_on":     said("Earliest service day among them.").orNull(),
	},
	"published_figures": {
		"published":  said("The figure as it was when the month was closed, in its unit."),
		"restated":   said("The same figure by what is known now, at the day it was published for."),
		"difference": said("restated − published."),
		"as_of":      ours("Day that the month was published for."),
		"closed_on":  ours("Day on which the month was closed."),
	},
	"receivables_aging": {
		"basis":        said("What the age counts from: service, invoice or due date. Each open balance is in the table once by each: choose one."),
		"side":         said("patient for what patients owe, insurer for what insurers owe."),
		"payer":        said("The insurer by name, other insurer, or person."),
		"is_waiting":   said("Whether it waits for another insurer's answer: it then repeats that insurer's balance, so leave it out of sums."),
		"bucket":       said("Age at D in days: not_due, 0-30, 31-60, 61-90, 91-120 or over_120."),
		"invoices":     counting("invoices", "Open invoices."),
		"amount_cents": cents("Their balances."),
	},
	"receivables_summary": {
		"side":                said("patient, insurer, or all for both together."),
		"open_invoices":       counting("invoices", "Invoices with an open balance, without those that wait for another insurer's answer."),
		"open_cents":          cents("Their balances."),
		"on_account_cents":    cents("Money that came in and pays no invoice yet: owed to who paid it."),
		"overpaid_cents":      cents("Paid beyond invoices' totals: owed back."),
		"net_cents":           cents("open − on account − overpaid."),
		"charged_cents":       cents("Invoiced for services of the last charge_days days, D included."),
		"charge_days":         days("90, or the days since history began where it is shorter."),
		"days_in_receivables": said("net ÷ (charged ÷ charge_days), in days; none where nothing was charged.").orNull(),
	},
	"restatements": {
		"published":    said("The figure as it was when the month was closed, in its unit."),
		"before":       said("The figure just before the change."),
		"restated":     said("The figure since the change."),
		"difference":   said("restated − published."),
		"since_commit": ours("Number of the commit whose data first showed it."),
		"first_seen":   ours("Day on which a build first found it."),
		"is_current":   said("Whether it is the latest change of the figure."),
	},
	"show_rates": {
		"month":            said("YYYY-MM of the appointments' day; all for every month together."),
		"dimension":        said("What the appointments are split by: all, lead_time, weekday, hour, staff_member or discipline."),
		"value":            said("The one it is about: a lead time in days (0, 1-3, 4-7, 8-14, 15-30, over_30, unknown), a weekday from 1 (Monday), a local hour, a name."),
		"place":            said("Where it stands among the values: lead times, weekdays and hours in their order; 0 for names."),
		"appointments":     counting("appointments", "Patients' appointments on days that are over; a group counts each patient."),
		"arrived":          counting("appointments", "Those that became visits."),
		"no_shows":         counting("appointments", "Those whose patient did not come."),
		"cancelled":        counting("appointments", "Those that were cancelled."),
		"unclosed":         counting("appointments", "Those that are still booked, in no share."),
		"expected":         counting("appointments", "arrived and no_shows: who was expected on the day."),
		"show_share":       said("arrived ÷ expected, 0 to 1; none where nobody was expected.").orNull(),
		"decided":          counting("appointments", "arrived, no_shows and cancelled."),
		"kept_share":       said("arrived ÷ decided, 0 to 1; none where none is decided.").orNull(),
		"with_lead":        counting("appointments", "Those of which it is known that they were booked on the day or before it."),
		"median_lead_days": days("Median of local days from the booking to the day, of with_lead; none where there is none.").orNull(),
		"mean_lead_days":   days("Mean of them.").orNull(),
		"is_complete":      said("Whether the month is over at D, and history began before it."),
	},
	"staff_hours": {
		"period_from":    said("First day of the period, which is one day as a rule."),
		"period_to":      said("Last day of it."),
		"shift_minutes":  counting("minutes", "On shift, breaks included."),
		"break_minutes":  counting("minutes", "Of breaks."),
		"booked_minutes": counting("minutes", "With appointments."),
		"booked_count":   counting("appointments", "Appointments."),
		"utilisation":    said("booked ÷ (shift − break), as a share; none without hours.").orNull(),
	},
	"visits_by_week": {
		"week_from":    said("First day of the week, which begins as clinic.yaml says."),
		"state":        said("State of the appointments at D: booked, arrived, cancelled, no_show."),
		"appointments": counting("appointments", "Patients' appointments; a group counts each patient."),
		"patients":     counting("patients", "Different patients."),
		"is_complete":  said("Whether the week is over at D."),
	},
}
