package query

//nolint:goconst // a catalogue is read as a table: names and words stay where they are used
var scheduleQueries = []Definition{
	{
		Name:        "visits_by_week",
		Title:       "Appointments by week",
		Description: "Patients' appointments by week of their day and their state at the snapshot's day.",
		Parameters: []Parameter{
			{
				Name: "split", Title: "Split by", Type: ChoiceParameter, Default: "state",
				Allowed:     []string{"state", "discipline", "location", "staff_member", "all"},
				Description: "One series for each value",
			},
			{
				Name: "state", Title: "State", Type: ChoiceParameter, Default: "all",
				Allowed:     []string{"all", "arrived", "booked", "cancelled", "no_show"},
				Description: "One state, or all",
			},
			disciplineParameter,
		},
		TimeRange: "weeks",
		Columns: []Column{
			{Name: "week_from", Title: "Week", Type: Day, Description: "First day of the week, as the clinic counts weeks"},
			{Name: "series", Title: "Series", Type: Text},
			{Name: "appointments", Title: "Appointments", Type: Integer, Unit: Count},
			{Name: "is_complete", Title: "Week is over", Type: Flag},
		},
		Series: &Series{X: "week_from", Name: "series", Value: "appointments"},
		Marts:  []string{"visits_by_week"},
		order:  "week_from, series",
	},
	{
		Name:        "freshness",
		Title:       "How fresh the data is",
		Description: "What has landed of each dataset, which days it covers, and how far behind the snapshot's day that is.",
		Columns: []Column{
			{Name: "dataset", Title: "Dataset", Type: Text},
			{Name: "as_of", Title: "As of", Type: Day},
			{Name: "rows", Title: "Rows", Type: Integer, Unit: Count},
			{Name: "covered_from", Title: "Covered from", Type: Day},
			{Name: "covered_to", Title: "Covered to", Type: Day},
			{Name: "observed_on", Title: "Newest report", Type: Day},
			{Name: "days_behind", Title: "Behind", Type: Integer, Unit: Days, Description: "Days from the last covered day, or else the newest report, to the snapshot's"},
			{Name: "committed_at", Title: "Landed", Type: Instant},
			{Name: "commit_name", Title: "Snapshot", Type: Text},
		},
		Marts: []string{},
		order: "dataset",
	},
}
