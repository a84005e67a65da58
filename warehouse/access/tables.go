package access

import (
	"slices"
	"strings"
)

// Caseload says how a table or metric is narrowed to the patients of some practitioners.
type Caseload string

// The ways of narrowing.
const (
	// Whole cannot be narrowed: it is closed to whoever may see their own caseload alone.
	Whole Caseload = ""
	// ByStaff has the practitioner in a column staff_member.
	ByStaff Caseload = "staff_member"
	// BySeries has the practitioner as the value of a dimension staff_member.
	BySeries Caseload = "dimension"
	// ByPatient has a column patient: the caseload is the patients whom the practitioners have seen.
	ByPatient Caseload = "patient"
)

// Mart says which permissions show a mart. Whoever holds all of Aggregates may have released, suppressed figures made of it;
// whoever holds all of Rows may read it row by row, where small counts stand as they are.
type Mart struct {
	Name string
	// Aggregates shows figures of it.
	Aggregates []Permission
	// Rows shows it as it is.
	Rows []Permission
	// By says how its rows are narrowed.
	By Caseload
}

// Metric says which permission shows a metric of sql/metrics, and how it is narrowed.
type Metric struct {
	Name       string
	Permission Permission
	By         Caseload
}

// Query says which marts a named query reads, and whether it answers with rows about single patients or with aggregates.
type Query struct {
	Name  string
	Marts []string
	Rows  bool
	// Needs, where given, is asked for instead of what the marts ask for: the query tells nothing about patients or money.
	Needs []Permission
}

var (
	falloffRows  = []Permission{FalloffView, PatientsView}
	scheduleRows = []Permission{ScheduleView, PatientsView}
	moneyRows    = []Permission{MoneyView, LeaksView}
	payersRows   = []Permission{PayersView, LeaksView}
	falloffOnly  = []Permission{FalloffView}
	scheduleOnly = []Permission{ScheduleView}
	moneyOnly    = []Permission{MoneyView}
	payersOnly   = []Permission{PayersView}
)

// marts are all marts there are; a test compares them with warehouse/dictionary.
var marts = []Mart{
	{"adjustments_by_month", moneyOnly, moneyRows, Whole},
	{"billing_warnings", moneyOnly, []Permission{LeaksView}, Whole},
	{"caseload", falloffOnly, []Permission{PatientsView}, ByStaff},
	// The tables that are released of them are made of these, and these are of few patients, too.
	{"cells_appointments", scheduleOnly, scheduleRows, Whole},
	{"cells_claims", payersOnly, payersRows, Whole},
	{"cells_episodes", falloffOnly, falloffRows, Whole},
	{"cells_money", moneyOnly, moneyRows, Whole},
	{"cohort_retention", falloffOnly, falloffRows, Whole},
	{"collections_by_month", moneyOnly, moneyRows, Whole},
	{"control_totals", moneyOnly, moneyRows, Whole},
	{"episode_status", falloffOnly, []Permission{PatientsView}, ByPatient},
	{"falloff_by_days", falloffOnly, falloffRows, BySeries},
	{"falloff_by_visit", falloffOnly, falloffRows, BySeries},
	{"falloff_outcomes", falloffOnly, falloffRows, Whole},
	{"falloff_summary", falloffOnly, falloffRows, BySeries},
	{"falloff_watch", falloffOnly, falloffRows, Whole},
	// Its figures are of falloff, schedule and money together.
	{"figures_by_month", moneyOnly, moneyRows, Whole},
	{"leak_ledger", moneyOnly, []Permission{LeaksView}, Whole},
	{"leak_recoveries", moneyOnly, []Permission{LeaksView}, Whole},
	{"missed_recovery", scheduleOnly, scheduleRows, Whole},
	{"money_identity", moneyOnly, moneyRows, Whole},
	{"outlook_calibration", falloffOnly, falloffRows, Whole},
	{"outlook_models", falloffOnly, falloffRows, Whole},
	{"patient_outlook", falloffOnly, []Permission{PatientsView}, ByPatient},
	{"patient_status", falloffOnly, []Permission{PatientsView}, ByPatient},
	{"payer_performance", payersOnly, payersRows, Whole},
	{"published_figures", moneyOnly, moneyRows, Whole},
	{"receivables_aging", moneyOnly, moneyRows, Whole},
	{"receivables_summary", moneyOnly, moneyRows, Whole},
	{"restatements", moneyOnly, moneyRows, Whole},
	{"show_rates", scheduleOnly, scheduleRows, BySeries},
	{"staff_hours", scheduleOnly, scheduleRows, ByStaff},
	{"visits_by_week", scheduleOnly, scheduleRows, ByStaff},
}

// metrics are all metrics there are; a test compares them with the dictionary.
var metrics = []Metric{
	{"adjusted_money", MoneyView, Whole},
	{"adjustments", MoneyView, Whole},
	{"billing_warnings", MoneyView, Whole},
	{"collected_money", MoneyView, Whole},
	{"control_difference", MoneyView, Whole},
	{"conversion", FalloffView, BySeries},
	{"days_in_receivables", MoneyView, Whole},
	{"estimated_loss", MoneyView, Whole},
	{"expected_money", MoneyView, Whole},
	{"expected_visits_lost", FalloffView, Whole},
	{"gross_collection_rate", MoneyView, Whole},
	{"kept_rate", ScheduleView, BySeries},
	{"lead_time", ScheduleView, BySeries},
	{"leaked_revenue", MoneyView, Whole},
	{"leaks", MoneyView, Whole},
	{"median_days_to_falloff", FalloffView, BySeries},
	{"median_days_to_pay", PayersView, Whole},
	{"median_visits_to_falloff", FalloffView, BySeries},
	{"net_collection_rate", MoneyView, Whole},
	{"not_yet_due_money", MoneyView, Whole},
	{"outcome_incidence", FalloffView, Whole},
	{"patients_by_status", FalloffView, Whole},
	{"ranking", FalloffView, Whole},
	{"reactivations", FalloffView, BySeries},
	{"rebooked", FalloffView, BySeries},
	{"receivables", MoneyView, Whole},
	{"recovered_by_us", MoneyView, Whole},
	{"recovered_money", MoneyView, Whole},
	{"recovered_within_14_days", ScheduleView, Whole},
	{"recovered_within_30_days", ScheduleView, Whole},
	{"rejection_rate", PayersView, Whole},
	{"restated", MoneyView, Whole},
	{"retention", FalloffView, Whole},
	{"settled_collection_rate", MoneyView, Whole},
	{"short_payments", PayersView, Whole},
	{"show_rate", ScheduleView, BySeries},
	{"stopping_share", FalloffView, BySeries},
	{"survival", FalloffView, BySeries},
	{"unreconciled_money", MoneyView, Whole},
	{"utilisation", ScheduleView, ByStaff},
	{"visits", ScheduleView, ByStaff},
}

// queries are the named queries there are; a test compares them with warehouse/query.
var queries = []Query{
	{Name: "adjustments_by_month", Marts: []string{"adjustments_by_month"}},
	{Name: "billing_warnings", Marts: []string{"billing_warnings"}, Rows: true},
	{Name: "caseload", Marts: []string{"caseload"}, Rows: true},
	{Name: "caseload_summary", Marts: []string{"caseload"}},
	{Name: "choices", Needs: []Permission{MetricsView}},
	{Name: "cohort_heatmap", Marts: []string{"cohort_retention"}},
	{Name: "collections_by_month", Marts: []string{"collections_by_month"}},
	{Name: "control_totals", Marts: []string{"control_totals"}},
	{Name: "disciplines", Needs: []Permission{MetricsView}},
	{Name: "falloff_summary", Marts: []string{"falloff_summary"}},
	{Name: "freshness", Needs: []Permission{FreshnessView}},
	{Name: "idle_hours", Marts: []string{"staff_hours"}},
	{Name: "leak_total", Marts: []string{"leak_ledger"}},
	{Name: "leak_worklist", Marts: []string{"leak_ledger"}, Rows: true},
	{Name: "leaks_by_age", Marts: []string{"leak_ledger"}},
	{Name: "leaks_by_category", Marts: []string{"leak_ledger"}},
	{Name: "leaks_by_month", Marts: []string{"leak_ledger", "published_figures"}},
	{Name: "leaks_by_state", Marts: []string{"leak_ledger"}},
	{Name: "missed_recovery", Marts: []string{"missed_recovery"}},
	{Name: "money_by_month", Marts: []string{"money_identity"}},
	{Name: "money_waterfall", Marts: []string{"money_identity", "leak_ledger"}},
	{Name: "outcomes", Marts: []string{"falloff_outcomes"}},
	{Name: "outlook_models", Marts: []string{"outlook_models"}},
	{Name: "patient_status_counts", Marts: []string{"patient_status", "episode_status"}},
	{Name: "patients_won_back", Marts: []string{"patient_outlook"}},
	{Name: "payers", Marts: []string{"payer_performance"}},
	{Name: "payers_by_month", Marts: []string{"payer_performance"}},
	{Name: "receivables_aging", Marts: []string{"receivables_aging"}},
	{Name: "receivables_summary", Marts: []string{"receivables_summary"}},
	{Name: "recoveries_by_month", Marts: []string{"leak_recoveries"}},
	{Name: "recovery_tasks", Marts: []string{"patient_outlook", "caseload"}, Needs: []Permission{TasksView}, Rows: true},
	{Name: "released_falloff", Needs: []Permission{FalloffView}},
	{Name: "released_money", Needs: []Permission{MoneyView}},
	{Name: "released_payers", Needs: []Permission{PayersView}},
	{Name: "released_schedule", Needs: []Permission{ScheduleView}},
	{Name: "restatements", Marts: []string{"restatements"}},
	{Name: "retention_by_visit", Marts: []string{"falloff_by_visit"}},
	{Name: "retention_curve", Marts: []string{"falloff_by_days"}},
	{Name: "show_rates", Marts: []string{"show_rates"}},
	{Name: "show_rates_by_month", Marts: []string{"show_rates"}},
	{Name: "utilisation_by_month", Marts: []string{"staff_hours"}},
	{Name: "visits_by_week", Marts: []string{"visits_by_week"}},
	{Name: "work_list", Marts: []string{"patient_outlook", "caseload"}, Rows: true},
	{Name: "worst_open_leaks", Marts: []string{"leak_ledger"}, Rows: true},
}

// Marts says of every mart which permissions show it. The answer is the caller's own.
func Marts() []Mart { return slices.Clone(marts) }

// Metrics says of every metric which permission shows it. The answer is the caller's own.
func Metrics() []Metric { return slices.Clone(metrics) }

// Queries says of every named query what it reads. The answer is the caller's own.
func Queries() []Query { return slices.Clone(queries) }

func martNamed(name string) (Mart, bool) {
	at, ok := slices.BinarySearchFunc(marts, name, func(m Mart, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return Mart{}, false
	}
	return marts[at], true
}

func metricNamed(name string) (Metric, bool) {
	at, ok := slices.BinarySearchFunc(metrics, name, func(m Metric, name string) int { return strings.Compare(m.Name, name) })
	if !ok {
		return Metric{}, false
	}
	return metrics[at], true
}

func queryNamed(name string) (Query, bool) {
	at, ok := slices.BinarySearchFunc(queries, name, func(q Query, name string) int { return strings.Compare(q.Name, name) })
	if !ok {
		return Query{}, false
	}
	return queries[at], true
}
