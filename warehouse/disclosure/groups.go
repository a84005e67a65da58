package disclosure

import "slices"

// count, cents and the like make a group's measures short to read.
func count(name string) Measure   { return Measure{Name: name, Unit: "count"} }
func cents(name string) Measure   { return Measure{Name: name, Unit: "cents"} }
func days(name string) Measure    { return Measure{Name: name, Unit: "days"} }
func minutes(name string) Measure { return Measure{Name: name, Unit: "minutes"} }

// in says that only some tables have a measure; in the others it would be zero.
func (m Measure) in(tables ...string) Measure { m.Tables = tables; return m }

func table(name, title string, dimensions ...string) Table {
	return Table{Name: name, Title: title, Dimensions: dimensions}
}

func (t Table) serving(metrics ...string) Table { t.Metrics = metrics; return t }

// from names the table in the mart of cells that it is read from.
func (t Table) from(cells string) Table { t.cells = cells; return t }

// Groups are all released tables there are. A dimension without a table of its own is released within another only: its
// values over all months, say, would tell of each month as it ends.
func Groups() []Group {
	return []Group{care(), leaks(), estimates(), recoveries(), warnings(), invoices(), adjustments(), receivables(), claims(), appointments(), episodes(), retention()}
}

// Marts are those that all groups together are counted in, each once.
func Marts() []string {
	var names []string
	for _, g := range Groups() {
		names = append(names, g.Marts...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func care() Group {
	return Group{
		Name: "care", Base: "patients", Marts: []string{"patient_status", "patient_outlook"},
		Measures: []Measure{count("patients"), {Name: "visits_lost_thousandths", Unit: "thousandths of a visit"}},
		Tables: []Table{
			table("patients", "Patients"),
			table("patients_by_status", "Patients by status", "status").serving("patients_by_status"),
			table("patients_by_discipline", "Patients by discipline", "discipline"),
			table("patients_by_discipline_status", "Patients by discipline and status", "discipline", "status").serving("expected_visits_lost"),
		},
	}
}

func leaks() Group {
	return Group{
		Name: "leaks", Base: "leaks", Marts: []string{"leak_ledger"},
		Measures: []Measure{count("leaks"), cents("amount_cents")},
		Tables: []Table{
			table("leaks", "Money leaked").serving("leaked_revenue", "leaks"),
			table("leaks_by_month", "Money leaked by month of service", "month").serving("leaked_revenue"),
			table("leaks_by_category", "Money leaked by category", "category").serving("leaked_revenue", "leaks"),
			table("leaks_by_discipline", "Money leaked by discipline", "discipline").serving("leaked_revenue"),
			table("leaks_by_location", "Money leaked by location", "location").serving("leaked_revenue"),
			table("leaks_by_staff_member", "Money leaked by staff member", "staff_member").serving("leaked_revenue"),
			table("leaks_by_state", "Leaks by what is said of them", "state").serving("leaks"),
			table("leaks_by_month_category", "Money leaked by month and category", "month", "category").serving("leaked_revenue"),
			table("leaks_by_month_discipline", "Money leaked by month and discipline", "month", "discipline").serving("leaked_revenue"),
			table("leaks_by_month_location", "Money leaked by month and location", "month", "location").serving("leaked_revenue"),
			table("leaks_by_month_staff_member", "Money leaked by month and staff member", "month", "staff_member").serving("leaked_revenue"),
			table("leaks_by_category_state", "Leaks by category and what is said of them", "category", "state").serving("leaks"),
		},
	}
}

func estimates() Group {
	return Group{
		Name: "estimates", Base: "estimates", Marts: []string{"leak_ledger"},
		Measures: []Measure{count("estimates"), cents("amount_cents")},
		Tables: []Table{
			table("estimates", "Not earned, by estimate"),
			table("estimates_by_month", "Not earned, by month", "month").serving("estimated_loss"),
			table("estimates_by_category", "Not earned, by category", "category").serving("estimated_loss"),
			table("estimates_by_month_category", "Not earned, by month and category", "month", "category").serving("estimated_loss"),
			table("estimates_by_category_discipline", "Not earned, by category and discipline", "category", "discipline").serving("estimated_loss"),
		},
	}
}

func recoveries() Group {
	return Group{
		Name: "recoveries", Base: "leaks", Marts: []string{"leak_recoveries"},
		Measures: []Measure{count("leaks"), cents("leaked_cents"), cents("recovered_cents"), cents("recovered_by_us_cents")},
		Shares:   []Share{{"recovered_share", "recovered_cents", "leaked_cents"}},
		Tables: []Table{
			table("recoveries", "Money recovered").serving("recovered_money", "recovered_by_us"),
			table("recoveries_by_month", "Money recovered by month", "month").serving("recovered_money", "recovered_by_us"),
			table("recoveries_by_category", "Money recovered by category", "category").serving("recovered_money", "recovered_by_us"),
			table("recoveries_by_month_category", "Money recovered by month and category", "month", "category").serving("recovered_money", "recovered_by_us"),
		},
	}
}

func warnings() Group {
	return Group{
		Name: "warnings", Base: "warnings", Marts: []string{"billing_warnings"},
		Measures: []Measure{count("warnings"), cents("amount_cents")},
		Tables: []Table{
			table("warnings", "Billing warnings"),
			table("warnings_by_warning", "Billing warnings by kind", "warning").serving("billing_warnings"),
			table("warnings_by_payer", "Billing warnings by payer", "payer").serving("billing_warnings"),
			table("warnings_by_warning_payer", "Billing warnings by kind and payer", "warning", "payer").serving("billing_warnings"),
		},
	}
}

func invoices() Group {
	rates := []string{"gross_collection_rate", "net_collection_rate", "settled_collection_rate"}
	return Group{
		Name: "invoices", Base: "invoices", Marts: []string{"cells_money"},
		Measures: []Measure{
			count("invoices"), cents("charged_cents"), cents("collected_cents"), cents("adjusted_cents"), cents("obtainable_cents"), cents("settled_cents"),
		},
		Shares: []Share{
			{"gross_rate", "collected_cents", "charged_cents"}, {"net_rate", "collected_cents", "obtainable_cents"}, {"settled_rate", "settled_cents", "charged_cents"},
		},
		Tables: []Table{
			table("money", "Money of services").from("all").serving(rates...),
			table("money_by_month", "Money by month of service", "month").from("month").
				serving(slices.Concat(rates, []string{"collected_money", "adjusted_money"})...),
			table("money_by_month_payer_kind", "Money by month of service and who pays", "month", "payer_kind").from("month_payer_kind").serving(rates...),
		},
	}
}

func adjustments() Group {
	return Group{
		Name: "adjustments", Base: "adjustments", Marts: []string{"cells_money"},
		Measures: []Measure{count("adjustments"), cents("amount_cents")},
		Tables: []Table{
			table("adjustments", "Taken off without money").from("all"),
			table("adjustments_by_month", "Taken off by month", "month").from("month").serving("adjustments"),
			table("adjustments_by_month_kind", "Taken off by month and kind", "month", "kind").from("month_kind").serving("adjustments"),
		},
	}
}

func receivables() Group {
	return Group{
		Name: "receivables", Base: "invoices", Marts: []string{"cells_money"},
		Measures: []Measure{count("invoices"), cents("open_cents")},
		Tables: []Table{
			table("receivables", "Open balances").from("all").serving("receivables"),
			table("receivables_by_payer", "Open balances by payer", "payer").from("payer").serving("receivables"),
			table("receivables_by_bucket", "Open balances by age", "bucket").from("bucket").serving("receivables"),
			table("receivables_by_payer_bucket", "Open balances by payer and age", "payer", "bucket").from("payer_bucket").serving("receivables"),
		},
	}
}

func claims() Group {
	metrics := []string{"rejection_rate", "short_payments"}
	return Group{
		Name: "claims", Base: "claims", Marts: []string{"cells_claims"},
		Measures: []Measure{
			count("claims"), count("answered"), count("rejected"), count("paid"), days("paid_days"), count("short_payments"), cents("short_cents"),
		},
		Shares: []Share{{"rejection_rate", "rejected", "answered"}, {"mean_days_to_pay", "paid_days", "paid"}},
		Tables: []Table{
			table("claims", "Claims").from("all").serving(metrics...),
			table("claims_by_payer", "Claims by payer", "payer").from("payer").serving(metrics...),
			table("claims_by_payer_month", "Claims by payer and month sent", "payer", "month").from("payer_month").serving(metrics...),
		},
	}
}

func appointments() Group {
	shares := []string{"show_rate", "kept_rate"}
	monthly := slices.Concat(shares, []string{"visits", "recovered_within_14_days", "recovered_within_30_days"})
	withHours := slices.Concat(monthly, []string{"utilisation"})
	hours := []string{"appointments", "appointments_by_month", "appointments_by_month_staff_member"}
	return Group{
		Name: "appointments", Base: "appointments", Marts: []string{"cells_appointments"},
		Measures: []Measure{
			count("appointments"), count("arrived"), count("no_shows"), count("cancelled"), count("expected"), count("decided"),
			count("with_lead"), days("lead_days"), count("due_14"), count("recovered_14"), count("due_30"), count("recovered_30"),
			minutes("open_minutes").in(hours...), minutes("booked_minutes").in(hours...),
		},
		Shares: []Share{
			{"show_share", "arrived", "expected"}, {"kept_share", "arrived", "decided"}, {"mean_lead_days", "lead_days", "with_lead"},
			{"recovered_share_14", "recovered_14", "due_14"}, {"recovered_share_30", "recovered_30", "due_30"},
			{"utilisation", "booked_minutes", "open_minutes"},
		},
		Tables: []Table{
			table("appointments", "Appointments").from("all").serving(withHours...),
			table("appointments_by_month", "Appointments by month", "month").from("month").serving(withHours...),
			table("appointments_by_lead_time", "Appointments by lead time", "lead_time").from("lead_time").serving(shares...),
			table("appointments_by_weekday", "Appointments by weekday", "weekday").from("weekday").serving(shares...),
			table("appointments_by_hour", "Appointments by hour", "hour").from("hour").serving(shares...),
			table("appointments_by_month_staff_member", "Appointments by month and staff member", "month", "staff_member").
				from("month_staff_member").serving(withHours...),
			table("appointments_by_month_discipline", "Appointments by month and discipline", "month", "discipline").from("month_discipline").serving(monthly...),
			table("appointments_by_month_location", "Appointments by month and location", "month", "location").from("month_location").serving(monthly...),
		},
	}
}

func episodes() Group {
	metrics := []string{"conversion", "rebooked", "reactivations"}
	return Group{
		Name: "episodes", Base: "episodes", Marts: []string{"cells_episodes"},
		Measures: []Measure{
			count("episodes"), count("first_visits"), count("second_visits"), count("visits"), count("rebooked"), count("reactivations"),
		},
		Shares: []Share{{"conversion_share", "second_visits", "first_visits"}, {"rebooked_share", "rebooked", "visits"}},
		Tables: []Table{
			table("episodes", "Episodes").from("all").serving(metrics...),
			table("episodes_by_course", "Episodes by discipline and course", "course").from("course").serving(metrics...),
			table("episodes_by_cohort_month", "Episodes by month of the first visit", "cohort_month").from("cohort_month").serving(metrics...),
			table("episodes_by_staff_member", "Episodes by practitioner of the first visit", "staff_member").from("staff_member").serving(metrics...),
			table("episodes_by_location", "Episodes by location of the first visit", "location").from("location").serving(metrics...),
			table("episodes_by_payer_kind", "Episodes by who pays", "payer_kind").from("payer_kind").serving(metrics...),
			table("episodes_by_beginning", "Episodes, new and returning", "beginning").from("beginning").serving(metrics...),
			table("episodes_by_course_days", "When episodes lapse", "course", "days").from("course_days").serving("survival", "median_days_to_falloff"),
			table("episodes_by_course_visits", "After which visit episodes lapse", "course", "visits_made").from("course_visits").
				serving("stopping_share", "median_visits_to_falloff"),
		},
	}
}

func retention() Group {
	return Group{
		Name: "retention", Base: "episodes", Marts: []string{"cells_episodes"},
		Measures: []Measure{count("cohort_size"), count("seen"), count("seen_patients")},
		Shares:   []Share{{"active_share", "seen", "cohort_size"}},
		Part:     &Part{Group: "episodes", Table: "episodes_by_cohort_month"},
		Tables: []Table{
			table("retention", "Cohorts seen again", "cohort_month", "month_index").from("retention").serving("retention"),
		},
	}
}

// RowsOnly are the metrics that no released table serves, and why: whoever may see no rows does not see them.
func RowsOnly() map[string]string {
	return map[string]string{
		"expected_money":      "it counts what nobody invoiced, which is in the released leaks; what was invoiced is released as charged_cents",
		"not_yet_due_money":   "beside what was charged and collected it would tell what leaked in every month, of however few patients",
		"days_in_receivables": "what is open less credits is another sum of the open balances than the released one, by other days",
		"lead_time":           "a median is no sum, so nothing can be held of it: the mean is released as mean_lead_days",
		"median_days_to_pay":  "a median is no sum, so nothing can be held of it: the mean is released as mean_days_to_pay",
		"outcome_incidence":   "who has fallen off is in the released curves already, cut in other ways",
		"ranking":             "it is of pairs of patients",
	}
}
