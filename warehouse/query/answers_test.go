package query_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
)

// asked is one request and the columns of its answer as text, a row a line.
type asked struct {
	name    string
	request query.Request
	columns []string
	want    []string
}

func answered(t *testing.T, engine *query.Engine, tests []asked) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer, err := engine.Run(t.Context(), test.request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Release()
			if diff := cmp.Diff(test.want, table(t, answer, test.columns...)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func of(name string, params map[string]any) query.Request {
	return query.Request{Query: name, Params: params}
}

func TestMoneyAnswers(t *testing.T) {
	answered(t, open(t, martstest.Small(t), query.Limits{}), []asked{
		{
			name:    "the steps go down from expected to collected, the largest leak first",
			request: of("money_waterfall", nil),
			columns: []string{"step", "amount_cents", "base_cents", "kept_cents", "leaked_cents", "other_cents"},
			want: []string{
				"Expected | 300000 | 0 | 300000 | - | -",
				"Adjusted | 6000 | 294000 | - | - | 6000",
				"Visit without a charge | 19000 | 275000 | - | 19000 | -",
				"Claim rejected, not resubmitted | 12000 | 263000 | - | 12000 | -",
				"Claim never sent | 8000 | 255000 | - | 8000 | -",
				"No-show fee not charged | 5000 | 250000 | - | 5000 | -",
				"Co-pay not collected | 3000 | 247000 | - | 3000 | -",
				"Not yet due | 66500 | 180500 | - | - | 66500",
				"Unreconciled | 500 | 180000 | - | - | 500",
				"Collected | 180000 | 0 | 180000 | - | -",
			},
		},
		{
			name:    "a month that the range touches is in the waterfall whole, and what is reconciled is no step",
			request: query.Request{Query: "money_waterfall", From: day("2026-08-14"), To: day("2026-08-20")},
			columns: []string{"step", "amount_cents", "share", "base_cents"},
			want: []string{
				"Expected | 90000 | 1.0000 | 0",
				"Adjusted | 0 | 0.0000 | 90000",
				"Visit without a charge | 9500 | 0.1056 | 80500",
				"Claim never sent | 8000 | 0.0889 | 72500",
				"Not yet due | 12500 | 0.1389 | 60000",
				"Collected | 60000 | 0.6667 | 0",
			},
		},
		{
			name:    "months of which nothing is known have no waterfall",
			request: query.Request{Query: "money_waterfall", From: day("2027-01-01")},
			columns: []string{"step"},
		},
		{
			name:    "one part of each month's money",
			request: of("money_by_month", map[string]any{"term": "leaked"}),
			columns: []string{"month", "series", "amount_cents", "expected_cents"},
			want:    []string{"2026-07-01 | Leaked | 15000 | 100000", "2026-08-01 | Leaked | 17500 | 90000", "2026-09-01 | Leaked | 14500 | 110000"},
		},
		{
			name:    "the parts of a month add up to what was expected",
			request: query.Request{Query: "money_by_month", From: day("2026-09-01"), To: day("2026-09-30")},
			columns: []string{"series", "amount_cents"},
			want:    []string{"Collected | 40000", "Adjusted | 1000", "Leaked | 14500", "Not yet due | 54000", "Unreconciled | 500"},
		},
		{
			name:    "what was never to be had by contract is out of the net rate",
			request: of("collections_by_month", nil),
			columns: []string{"month", "series", "net_rate", "gross_rate", "collected_cents"},
			want: []string{
				"2026-07-01 | Insurers | 1.0000 | 0.8571 | 60000",
				"2026-07-01 | Patients | 0.6667 | 0.6667 | 20000",
				"2026-08-01 | Patients | 0.7500 | 0.7500 | 30000",
			},
		},
		{
			name:    "what was taken off, of both sides together",
			request: of("adjustments_by_month", nil),
			columns: []string{"month", "series", "amount_cents", "invoices"},
			want:    []string{"2026-07-01 | Contractual | 10000 | 2", "2026-08-01 | Write off | 6500 | 2"},
		},
		{
			name:    "days of charges that are owed",
			request: of("receivables_summary", nil),
			columns: []string{"title", "open_cents", "net_cents", "days_in_receivables"},
			want:    []string{"All together | 19500 | 18000 | 18.0000", "Insurers | 15000 | 15000 | 30.0000", "Patients | 4500 | 3000 | 6.0000"},
		},
		{
			name:    "in which month the difference to the portal came in",
			request: of("control_totals", nil),
			columns: []string{"month", "portal_cents", "ours_cents", "difference_cents", "change_cents", "difference_share"},
			want:    []string{"2026-07-01 | 20000 | 20000 | 0 | 0 | 0.0000", "2026-08-01 | 25000 | 25500 | 500 | 500 | 0.0200"},
		},
		{
			name:    "insurers with the most open first; who answered nothing rejects nothing either",
			request: of("payers", nil),
			columns: []string{"payer", "open_cents", "claims_sent", "claims_answered", "rejection_rate", "median_days_to_pay", "p90_days_to_pay"},
			want:    []string{"Green Shield | 16000 | 2 | 0 | - | - | -", "Sun Life | 15000 | 5 | 4 | 0.2500 | 12.0000 | 20"},
		},
		{
			name:    "rejections by the month of submission; what was never sent is in none",
			request: of("payers_by_month", nil),
			columns: []string{"month", "series", "rejection_rate", "claims_sent"},
			want: []string{
				"2026-07-01 | Sun Life | 0.5000 | 3", "2026-08-01 | Green Shield | - | 2", "2026-08-01 | Sun Life | 0.0000 | 2",
			},
		},
		{
			// Of August's four claims two were answered.
			name:    "rejections of all insurers together are of their claims, not of their rates",
			request: of("payers_by_month", map[string]any{"split": "all"}),
			columns: []string{"month", "series", "rejection_rate", "claims_sent", "claims_answered"},
			want:    []string{"2026-07-01 | All together | 0.5000 | 3 | 2", "2026-08-01 | All together | 0.0000 | 4 | 2"},
		},
		{
			name:    "warnings that can still be met come first",
			request: of("billing_warnings", nil),
			columns: []string{"days_left", "due_on", "title", "amount_cents", "source_id", "bookings_uncovered"},
			want: []string{
				"5 | 2026-10-05 | Filing limit is near | 7000 | 1210-C01 | -",
				"12 | 2026-10-12 | Policy runs out of treatments | - | y1_zzz | 2",
				"-3 | 2026-09-27 | Filing limit is past | 9000 | 1201-C01 | -",
			},
		},
		{
			name:    "warnings of one payer and kind",
			request: of("billing_warnings", map[string]any{"payer": "Sun Life", "kind": "policy_running_out"}),
			columns: []string{"source_id"},
			want:    []string{"y1_zzz"},
		},
	})
}

func TestRecoveryAnswers(t *testing.T) {
	answered(t, open(t, martstest.Small(t), query.Limits{}), []asked{
		{
			name:    "what is to be settled: no estimates, and nothing that was given up",
			request: of("leak_worklist", nil),
			columns: []string{"leak_id", "amount_cents", "state", "payer", "remedy"},
			want: []string{
				"claim_rejected/1531-C01 | 12000 | Assigned | Sun Life | Correct and resubmit the claim",
				"arrived_no_charge/9001 | 9500 | Open | - | Invoice the visit",
				"claim_never_sent/1540-C01 | 8000 | Open | Green Shield | Submit the claim",
				"no_show_fee/9003 | 5000 | Open | - | Charge or waive the fee",
				"copay_missed/1531-P01 | 3000 | Contacted | person | Collect from the patient",
			},
		},
		{
			name:    "leaks in one state",
			request: of("leak_worklist", map[string]any{"state": "written_off"}),
			columns: []string{"source_id", "state"},
			want:    []string{"9002 | Written off"},
		},
		{
			name:    "leaks of one payer, with what shows them",
			request: of("leak_worklist", map[string]any{"payer": "Sun Life", "state": "all", "discipline": "Physiotherapy", "location": "Harbour Street"}),
			columns: []string{"source_id", "evidence"},
			want:    []string{"1531-C01 | claim rejected; sent 2026-07-03; answered 2026-07-10; invoiced 2026-07-02"},
		},
		{
			name:    "leaks of 90.00 and more",
			request: of("leak_worklist", map[string]any{"minimum": 90}),
			columns: []string{"source_id", "amount_cents"},
			want:    []string{"1531-C01 | 12000", "9001 | 9500"},
		},
		{
			name:    "leaks that are nobody's task",
			request: of("leak_worklist", map[string]any{"assignee": "nobody", "minimum": 100}),
			columns: []string{"source_id"},
			want:    []string{"1531-C01"},
		},
		{
			name:    "leaks of somebody who has none",
			request: of("leak_worklist", map[string]any{"assignee": "kim"}),
			columns: []string{"source_id"},
		},
		{
			name:    "a practitioner without a leak has an empty list",
			request: of("leak_worklist", map[string]any{"staff_member": "Sam Okafor"}),
			columns: []string{"source_id"},
		},
		{
			name:    "states in which no leak is are printed",
			request: of("leaks_by_state", nil),
			columns: []string{"state", "title", "leaks", "amount_cents", "oldest_on"},
			want: []string{
				"open | Open | 3 | 22500 | 2026-08-14",
				"assigned | Assigned | 1 | 12000 | 2026-07-02",
				"contacted | Contacted | 1 | 3000 | 2026-07-02",
				"recovered | Recovered | 0 | 0 | -",
				"written_off | Written off | 1 | 9500 | 2026-09-03",
				"expired | Expired | 0 | 0 | -",
			},
		},
		{
			name:    "leaks by age, whose ends count",
			request: of("leaks_by_age", map[string]any{"split": "certainty"}),
			columns: []string{"bucket", "series", "amount_cents", "leaks"},
			want: []string{
				"0–30 | Likely | 14500 | 2", "31–60 | Likely | 9500 | 1", "31–60 | Firm | 8000 | 1", "61–90 | Firm | 15000 | 2",
			},
		},
		{
			name:    "what came in after a task beside what came in without one",
			request: of("recoveries_by_month", nil),
			columns: []string{"month", "series", "amount_cents", "leaks"},
			want: []string{
				"2026-08-01 | By us | 4000 | 1", "2026-08-01 | On its own | 1000 | 1",
				"2026-09-01 | By us | 2000 | 1", "2026-09-01 | On its own | 3000 | 1",
			},
		},
		{
			name:    "recoveries of one category up to a day",
			request: query.Request{Query: "recoveries_by_month", Params: map[string]any{"category": "claim_rejected"}, To: day("2026-09-29")},
			columns: []string{"month", "series", "amount_cents"},
			want:    []string{"2026-08-01 | By us | 4000", "2026-08-01 | On its own | 1000"},
		},
	})
}

func TestPatientAnswers(t *testing.T) {
	answered(t, open(t, martstest.Small(t), query.Limits{}), []asked{
		{
			name:    "outcomes hold their value between events, and what is left is neither",
			request: of("outcomes", map[string]any{"every_days": 40}),
			columns: []string{"day", "series", "share"},
			want: []string{
				"0 | Finished | 0.0000", "0 | Fallen off | 0.0000", "0 | Neither yet | 1.0000",
				"40 | Finished | 0.2000", "40 | Fallen off | 0.0000", "40 | Neither yet | 0.8000",
				"80 | Finished | 0.2000", "80 | Fallen off | 0.2000", "80 | Neither yet | 0.6000",
			},
		},
		{
			name:    "practitioners beside each other; no median where more than half stay",
			request: of("falloff_summary", nil),
			columns: []string{"value", "episodes", "median_days", "conversion_share", "rebooked_share"},
			want:    []string{"Robin Mercer | 7 | - | 0.8333 | 0.8000", "Sam Okafor | 5 | 50 | 0.5000 | 0.1333"},
		},
		{
			name:    "practitioners within a discipline",
			request: of("falloff_summary", map[string]any{"discipline": "Massage"}),
			columns: []string{"value", "episodes"},
			want:    []string{"Sam Okafor | 5"},
		},
		{
			name:    "disciplines beside each other",
			request: of("falloff_summary", map[string]any{"dimension": "discipline"}),
			columns: []string{"value", "median_visits"},
			want:    []string{"Physiotherapy | -", "Massage | 3"},
		},
		{
			name:    "a cohort that is too young to tell is left out",
			request: of("falloff_summary", map[string]any{"dimension": "cohort_month"}),
			columns: []string{"value"},
			want:    []string{"2026-07"},
		},
		{
			name:    "curves of practitioners",
			request: of("retention_curve", map[string]any{"group": "staff_member", "every_days": 42}),
			columns: []string{"day", "series", "survival"},
			want:    []string{"0 | Robin Mercer | 1.0000", "42 | Robin Mercer | 0.7500"},
		},
		{
			name:    "share stopping by practitioner",
			request: of("retention_by_visit", map[string]any{"group": "staff_member"}),
			columns: []string{"visit_number", "series", "stopping_share"},
			want:    []string{"1 | Robin Mercer | 0.2000"},
		},
		{
			name:    "whom to call first: nobody with a booking, nobody who has finished",
			request: of("work_list", nil),
			columns: []string{"place", "patient", "status", "staff_member", "days_since", "chance_there", "expected_visits_lost"},
			want: []string{
				"1 | p1_bbb | At risk | Sam Okafor | 30 | 0.5000 | 3.0000",
				"2 | p1_ccc | Fallen off | Sam Okafor | 170 | 0.2500 | 1.5000",
			},
		},
		{
			name:    "places are among those who are asked for",
			request: of("work_list", map[string]any{"status": "fallen_off"}),
			columns: []string{"place", "patient"},
			want:    []string{"1 | p1_ccc"},
		},
		{
			name:    "who has been seen by whom, at risk first",
			request: of("caseload", nil),
			columns: []string{"patient", "staff_member", "status", "days_since", "next_booking_on", "is_latest"},
			want: []string{
				"p1_bbb | Robin Mercer | At risk | 30 | - | false",
				"p1_bbb | Sam Okafor | At risk | 30 | - | true",
				"p1_aaa | Robin Mercer | Active | 6 | 2026-10-02 | true",
				"p1_ccc | Sam Okafor | Fallen off | 170 | - | true",
			},
		},
		{
			name:    "one practitioner's patients with nothing booked",
			request: of("caseload", map[string]any{"staff_member": "Robin Mercer", "bookings": "none"}),
			columns: []string{"patient"},
			want:    []string{"p1_bbb"},
		},
		{
			name:    "a patient whom two have seen counts once",
			request: of("caseload_summary", nil),
			columns: []string{"status", "patients", "share", "nothing_booked"},
			want: []string{
				"active | 1 | 0.3333 | 0", "at_risk | 1 | 0.3333 | 1", "fallen_off | 1 | 0.3333 | 1", "finished | 0 | 0.0000 | 0",
			},
		},
		{
			name:    "which rule ranked better",
			request: of("outlook_models", nil),
			columns: []string{"discipline", "ranked_by", "concordance_p_alive", "concordance_days_over_gap", "fallback"},
			want: []string{
				"Massage | Days since the last visit by their own rhythm | 0.6000 | 0.6600 | too few episodes",
				"Physiotherapy | Chance of coming again | 0.8100 | 0.7700 | -",
			},
		},
		{
			name:    "practitioners to choose from",
			request: of("choices", nil),
			columns: []string{"text", "value"},
			want:    []string{"All | all", "Robin Mercer | Robin Mercer", "Sam Okafor | Sam Okafor"},
		},
		{
			name:    "categories to choose from, by what people call them",
			request: of("choices", map[string]any{"list": "category"}),
			columns: []string{"text"},
			want: []string{
				"All", "Claim never sent", "Claim paid short", "Claim rejected, not resubmitted", "Co-pay not collected", "Idle capacity",
				"Insurer silent over 60 days", "Late-cancel fee not charged", "No-show fee not charged", "Patient balance over 30 days",
				"Patient fell off", "Visit after the policy ended", "Visit beyond the policy's maximum", "Visit never closed",
				"Visit without a charge", "Written off",
			},
		},
	})
}

func TestScheduleAnswers(t *testing.T) {
	answered(t, open(t, martstest.Small(t), query.Limits{}), []asked{
		{
			name:    "lead times in their order",
			request: of("show_rates", nil),
			columns: []string{"value", "no_show_share", "show_share", "expected", "cancelled"},
			want:    []string{"Same day | 0.0000 | 1.0000 | 10 | 0", "1–3 days | 0.1000 | 0.9000 | 20 | 4", "15–30 days | 0.2000 | 0.8000 | 10 | 4"},
		},
		{
			name:    "weekdays by name",
			request: of("show_rates", map[string]any{"dimension": "weekday"}),
			columns: []string{"value", "expected"},
			want:    []string{"Monday | 30", "Friday | 10"},
		},
		{
			name:    "hours as a clock shows them",
			request: of("show_rates", map[string]any{"dimension": "hour"}),
			columns: []string{"value", "no_shows", "kept_share"},
			want:    []string{"08:00 | 4 | 0.7500"},
		},
		{
			name:    "months that are not over are left out",
			request: of("show_rates_by_month", nil),
			columns: []string{"month", "series", "no_show_share", "expected"},
			want:    []string{"2026-08-01 | All appointments | 0.0500 | 20"},
		},
		{
			name:    "months of practitioners",
			request: of("show_rates_by_month", map[string]any{"dimension": "staff_member"}),
			columns: []string{"month", "series", "no_show_share"},
			want:    []string{"2026-08-01 | Robin Mercer | 0.0000"},
		},
		{
			name:    "utilisation of everyone together is of the hours, not of the shares",
			request: of("utilisation_by_month", nil),
			columns: []string{"month", "series", "utilisation", "open_hours", "booked_hours", "idle_hours"},
			want: []string{
				"2026-08-01 | All together | 0.7500 | 18.0000 | 13.5000 | 4.5000",
				"2026-09-01 | All together | 0.6296 | 27.0000 | 17.0000 | 10.0000",
			},
		},
		{
			name:    "utilisation by practitioner within a range",
			request: query.Request{Query: "utilisation_by_month", Params: map[string]any{"split": "staff_member"}, To: day("2026-08-31")},
			columns: []string{"series", "utilisation"},
			want:    []string{"Robin Mercer | 0.6786", "Sam Okafor | 1.0000"},
		},
		{
			name:    "who has the most idle hours",
			request: of("idle_hours", nil),
			columns: []string{"value", "idle_hours", "open_hours"},
			want:    []string{"Sam Okafor | 10.0000 | 24.0000", "Robin Mercer | 4.5000 | 21.0000"},
		},
		{
			name:    "a week that was reported as one has no weekday",
			request: of("idle_hours", map[string]any{"split": "weekday"}),
			columns: []string{"value", "idle_hours", "open_hours"},
			want:    []string{"Monday | 1.0000 | 18.0000", "Tuesday | 3.5000 | 7.0000"},
		},
		{
			name:    "who came back, of months that are old enough",
			request: of("missed_recovery", nil),
			columns: []string{"month", "series", "recovered_share", "due"},
			want:    []string{"2026-07-01 | After a cancellation | 0.8000 | 10", "2026-07-01 | After a no-show | 0.2500 | 4"},
		},
		{
			name:    "weeks of one practitioner",
			request: of("visits_by_week", map[string]any{"split": "all", "staff_member": "Sam Okafor", "location": "Harbour Street"}),
			columns: []string{"week_from", "series", "appointments"},
			want:    []string{"2026-09-14 | Appointments | 6"},
		},
	})
}

// What a practitioner's own page asks must be answered from the caseload that an engine is narrowed to, and must tell nothing of
// others.
func TestAnswersAboutACaseload(t *testing.T) {
	files := query.Files{Marts: martstest.Small(t), AssignedTo: []string{"Robin Mercer"}}
	engine, err := query.OpenFiles(t.Context(), files, martstest.Meta("harbour-street", "42"), query.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	answered(t, engine, []asked{
		{"caseload", of("caseload", nil), []string{"patient", "staff_member"}, []string{"p1_bbb | Robin Mercer", "p1_aaa | Robin Mercer"}},
		{
			"caseload by status", of("caseload_summary", nil),
			[]string{"status", "patients"},
			[]string{"active | 1", "at_risk | 1", "fallen_off | 0", "finished | 0"},
		},
		{"whom to call: somebody else saw them last", of("work_list", nil), []string{"place", "patient", "staff_member"}, []string{"1 | p1_bbb | -"}},
		{
			"weeks", of("visits_by_week", map[string]any{"split": "staff_member", "state": "arrived"}),
			[]string{"week_from", "series", "appointments"},
			[]string{"2026-09-14 | Robin Mercer | 12", "2026-09-21 | Robin Mercer | 11", "2026-09-28 | Robin Mercer | 4"},
		},
		{
			"utilisation", of("utilisation_by_month", nil),
			[]string{"month", "utilisation"},
			[]string{"2026-08-01 | 0.6786", "2026-09-01 | 1.0000"},
		},
		{"who comes", of("show_rates", map[string]any{"dimension": "staff_member"}), []string{"value"}, []string{"Robin Mercer"}},
		{"who comes, by lead time, is of the whole clinic", of("show_rates", nil), []string{"value"}, nil},
		{"no-shows", of("show_rates_by_month", map[string]any{"dimension": "staff_member"}), []string{"series"}, []string{"Robin Mercer"}},
		{"how long they stay", of("falloff_summary", nil), []string{"value"}, []string{"Robin Mercer"}},
		{"curve", of("retention_curve", map[string]any{"group": "staff_member", "every_days": 90}), []string{"series"}, []string{"Robin Mercer"}},
		{"practitioners to choose from", of("choices", nil), []string{"value"}, []string{"all", "Robin Mercer"}},
	})
	for _, name := range []string{"money_waterfall", "payers", "control_totals", "missed_recovery", "outcomes"} {
		if engine.Unavailable()[name] == "" {
			t.Errorf("%s is answered from a caseload", name)
		}
	}
}
