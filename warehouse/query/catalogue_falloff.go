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
			groupParameter("all", "discipline", "cohort_month", "staff_member", "location", "payer_kind", "beginning"),
			disciplineParameter,
			{
				Name: "definition", Title: "Falls off", Type: ChoiceParameter, Default: "first_lapse", Allowed: []string{"first_lapse", "last_visit"},
				Description: "first_lapse: when the first gap without visit and booking began; last_visit: at the last visit, if it is long ago",
			},
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
			groupParameter("all", "discipline", "staff_member"),
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
		Name:        "outcomes",
		Title:       "What becomes of those who begin",
		Description: "Aalen–Johansen estimate of who has finished and who has fallen off by each day since the first visit. Nobody comes to both.",
		Parameters: []Parameter{
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
			{Name: "series", Title: "Outcome", Type: Text},
			{Name: "share", Title: "Share", Type: Number, Unit: Fraction},
		},
		Series: &Series{X: "day", Name: "series", Value: "share"},
		Marts:  []string{"falloff_outcomes"},
		order:  "day, place",
	},
	{
		Name:        "falloff_summary",
		Title:       "How long patients stay, side by side",
		Description: "Median days and visits to the first lapse, second visits and rebooking, by practitioner, discipline or whatever else.",
		Parameters: []Parameter{
			{
				Name: "dimension", Title: "By", Type: ChoiceParameter, Default: "staff_member",
				Allowed:     []string{"staff_member", "discipline", "location", "payer_kind", "beginning", "cohort_month", "all"},
				Description: "What is put side by side; practitioner and location are those of the first visit",
			},
			disciplineParameter,
		},
		Columns: []Column{
			{Name: "value", Title: "Of", Type: Text},
			{Name: "episodes", Title: "Episodes", Type: Integer, Unit: Count},
			{Name: "median_days", Title: "Half lapse by day", Type: Integer, Unit: Days, Description: "Empty where more than half have not lapsed"},
			{Name: "median_days_low", Title: "95 % from", Type: Integer, Unit: Days},
			{Name: "median_days_high", Title: "95 % to", Type: Integer, Unit: Days},
			{Name: "median_visits", Title: "Half lapse by visit", Type: Integer},
			{Name: "conversion_share", Title: "Come a second time", Type: Number, Unit: Fraction},
			{Name: "rebooked_share", Title: "Leave with a booking", Type: Number, Unit: Fraction, Description: "Of visit days, those on which a later booking stood"},
			{Name: "lapsed", Title: "Lapsed", Type: Integer, Unit: Count},
			{Name: "reactivations", Title: "Came back", Type: Integer, Unit: Count, Description: "Visits after a fallen-off spell"},
		},
		Released: &Released{
			Tables: []string{
				"episodes", "episodes_by_staff_member", "episodes_by_location", "episodes_by_payer_kind", "episodes_by_beginning",
				"episodes_by_cohort_month",
			},
			Says: "Of episodes that began in months that are over; medians are not released.",
			Only: map[string][]string{
				"dimension":  {"staff_member", "location", "payer_kind", "beginning", "cohort_month", "all"},
				"discipline": {"all"},
			},
		},
		Marts: []string{"falloff_summary"},
		order: "episodes desc, value",
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
		Description: "The practitioners, locations, payers or categories of leaks there are, for a dashboard's variable.",
		Parameters: []Parameter{{
			Name: "list", Title: "Of", Type: ChoiceParameter, Default: "staff_member", Allowed: []string{"staff_member", "location", "payer", "category"},
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
