package query

func groupParameter(choices ...string) Parameter {
	return Parameter{
		Name: "group", Title: "Curves", Type: ChoiceParameter, Default: "all", Allowed: choices,
		Description: "One curve of the chosen discipline (all), or one for each",
	}
}

//nolint:goconst // a catalogue is read as a table: names and words stay where they are used
var falloffQueries = []Definition{
	{
		Name:        "retention_curve",
		Title:       "Share of patients not yet lapsed",
		Description: "Kaplan–Meier estimate of the days from the first visit to the first lapse, with its 95 % interval, read off at regular days.",
		Parameters: []Parameter{
			groupParameter("all", "discipline", "cohort_month"),
			disciplineParameter,
			{
				Name: "days", Title: "Up to day", Type: IntegerParameter, Default: int64(365), Min: 30, Max: 3650,
				Description: "The last day of the curves",
			},
			{
				Name: "every_days", Title: "Every … days", Type: IntegerParameter, Default: int64(7), Min: 1, Max: 90,
				Description: "Distance between the days read off",
			},
		},
		Columns: []Column{
			{Name: "day", Title: "Days since the first visit", Type: Integer, Unit: Days},
			{Name: "series", Title: "Curve", Type: Text},
			{Name: "survival", Title: "Not yet lapsed", Type: Number, Unit: Fraction},
			{Name: "ci_low", Title: "95 % from", Type: Number, Unit: Fraction},
			{Name: "ci_high", Title: "95 % to", Type: Number, Unit: Fraction},
			{Name: "n_risk", Title: "At risk", Type: Integer, Unit: Count, Description: "Episodes still observed and not lapsed"},
		},
		Series: &Series{X: "day", Name: "series", Value: "survival"},
		Marts:  []string{"falloff_by_days"},
		order:  "day, series",
	},
	{
		Name:        "retention_by_visit",
		Title:       "Share stopping after each visit",
		Description: "Of the n-th visits old enough to tell, those followed by a lapse.",
		Parameters: []Parameter{
			groupParameter("all", "discipline"),
			disciplineParameter,
			{
				Name: "visits", Title: "Up to visit", Type: IntegerParameter, Default: int64(12), Min: 1, Max: 100,
				Description: "The last visit number",
			},
		},
		Columns: []Column{
			{Name: "visit_number", Title: "Visit", Type: Integer},
			{Name: "series", Title: "Discipline", Type: Text},
			{Name: "stopping_share", Title: "Stop after it", Type: Number, Unit: Fraction},
			{Name: "stopped", Title: "Stopped", Type: Integer, Unit: Count},
			{Name: "visits", Title: "Visits", Type: Integer, Unit: Count, Description: "N-th visits old enough to tell"},
			{Name: "falloff_days", Title: "Lapse after", Type: Integer, Unit: Days},
		},
		Series: &Series{X: "visit_number", Name: "series", Value: "stopping_share"},
		Marts:  []string{"falloff_by_visit"},
		order:  "visit_number, series",
	},
	{
		Name:        "cohort_heatmap",
		Title:       "Cohorts by month since the first visit",
		Description: "Of the episodes that began in a month, the share with a visit in each calendar month since. Months that are not over are left out.",
		Parameters: []Parameter{
			disciplineParameter,
			{
				Name: "months", Title: "Months", Type: IntegerParameter, Default: int64(12), Min: 1, Max: 60,
				Description: "How many months after the first",
			},
			{
				Name: "cohorts", Title: "Cohorts", Type: IntegerParameter, Default: int64(18), Min: 1, Max: 120,
				Description: "How many cohort months, the newest",
			},
		},
		Columns: []Column{
			{Name: "cohort", Title: "First visit · episodes", Type: Text, Description: "Month of the first visit, and how many episodes began in it"},
			{Name: "month_index", Title: "Month", Type: Integer, Description: "Calendar months since the first visit's"},
			{Name: "active_share", Title: "Seen", Type: Number, Unit: Fraction},
			{Name: "active", Title: "Episodes seen", Type: Integer, Unit: Count},
			{Name: "cohort_size", Title: "Episodes", Type: Integer, Unit: Count},
			{Name: "cohort_month", Title: "Month of the first visit", Type: Text, Description: "As YYYY-MM"},
		},
		Series:   &Series{X: "cohort", Name: "month_index", Value: "active_share"},
		Released: &Released{Tables: []string{"retention"}, Only: map[string][]string{"discipline": {"all"}}},
		Marts:    []string{"cohort_retention"},
		order:    "cohort_month, month_index",
	},
	{
		Name:        "patient_status_counts",
		Title:       "Patients by status",
		Description: "How many patients are active, at risk, fallen off and finished at the snapshot's day.",
		Parameters:  []Parameter{disciplineParameter},
		Columns: []Column{
			{Name: "title", Title: "Status", Type: Text},
			{Name: "patients", Title: "Patients", Type: Integer, Unit: Count},
			{Name: "share", Title: "Share", Type: Number, Unit: Fraction},
			{Name: "status", Title: "Slug", Type: Text},
		},
		Released: &Released{Tables: []string{"patients_by_status"}, Only: map[string][]string{"discipline": {"all"}}},
		Marts:    []string{"patient_status", "episode_status"},
		order:    "place",
	},
	{
		Name:        "disciplines",
		Title:       "Disciplines",
		Description: "The disciplines there are, for a dashboard's variable.",
		Columns: []Column{
			{Name: "text", Title: "Text", Type: Text, Description: "What people call it"},
			{Name: "value", Title: "Value", Type: Text, Description: "What the discipline parameters take"},
		},
		Marts: []string{},
		order: "value <> 'all', text",
	},
	{
		Name:        "choices",
		Title:       "Values to choose from",
		Description: "The practitioners, locations or payers there are, for a dashboard's variable.",
		Parameters: []Parameter{{
			Name: "list", Title: "Of", Type: ChoiceParameter, Default: "staff_member", Allowed: []string{"staff_member", "location", "payer"},
			Description: "What to list",
		}},
		Columns: []Column{
			{Name: "text", Title: "Text", Type: Text, Description: "What people call it"},
			{Name: "value", Title: "Value", Type: Text, Description: "What parameters take"},
		},
		Marts: []string{},
		order: "value <> 'all', text",
	},
}
