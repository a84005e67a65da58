package query

// Columns that say how one patient's visits go.
var (
	patientColumn    = Column{Name: "patient", Title: "Patient", Type: Text, Description: "A pseudonym"}
	lastVisitColumn  = Column{Name: "last_on", Title: "Last visit", Type: Day}
	daysSinceColumn  = Column{Name: "days_since", Title: "Days since", Type: Integer, Unit: Days, Description: "From the last visit in the discipline to the snapshot's day"}
	usualGapColumn   = Column{Name: "usual_gap_days", Title: "Usual rhythm", Type: Number, Unit: Days, Description: "Median of days between the patient's visits"}
	disciplineColumn = Column{Name: "discipline", Title: "Discipline", Type: Text}
)

//nolint:goconst // a catalogue is read as a table: names and words stay where they are used
var patientQueries = []Definition{
	{
		Name:        "work_list",
		Title:       "Whom to call first",
		Description: "Patients with nothing booked by the visits that are lost if they stay away, the most first.",
		Parameters: []Parameter{
			limitParameter(50),
			disciplineParameter,
			chosen("staff_member", "Practitioner"),
			{
				Name: "status", Title: "Status", Type: ChoiceParameter, Default: "all", Allowed: []string{"all", "active", "at_risk", "fallen_off"},
				Description: "Patients of one status, or all",
			},
		},
		Columns: []Column{
			{Name: "place", Title: "Place", Type: Integer},
			patientColumn,
			disciplineColumn,
			{Name: "status", Title: "Status", Type: Text},
			{Name: "staff_member", Title: "Last seen by", Type: Text},
			lastVisitColumn,
			daysSinceColumn,
			usualGapColumn,
			{Name: "visit_days", Title: "Visits", Type: Integer, Unit: Count, Description: "Days with a visit in the episode"},
			{Name: "chance_there", Title: "Still there", Type: Number, Unit: Fraction, Description: "Chance that the patient comes again, by the rule that ranked better lately"},
			{Name: "expected_visits_lost", Title: "Visits lost", Type: Number, Description: "Visits to be expected in 90 days had the patient stayed, less those to be expected now"},
		},
		Marts: []string{"patient_outlook", "caseload"},
		Rows:  true,
		order: "place",
	},
	{
		Name:        "caseload",
		Title:       "Caseload",
		Description: "Who has been seen by whom, and how they stand: those seen longest ago first.",
		Parameters: []Parameter{
			limitParameter(500),
			chosen("staff_member", "Practitioner"),
			disciplineParameter,
			{
				Name: "status", Title: "Status", Type: ChoiceParameter, Default: "all",
				Allowed:     []string{"all", "active", "at_risk", "fallen_off", "finished"},
				Description: "Patients of one status in the discipline, or all",
			},
			{
				Name: "bookings", Title: "Bookings", Type: ChoiceParameter, Default: "all", Allowed: []string{"all", "ahead", "none"},
				Description: "Patients with a booking ahead with the practitioner, or with none",
			},
		},
		Columns: []Column{
			patientColumn,
			disciplineColumn,
			{Name: "status", Title: "Status", Type: Text},
			lastVisitColumn,
			daysSinceColumn,
			usualGapColumn,
			{Name: "visit_days", Title: "Visits", Type: Integer, Unit: Count, Description: "Days with a visit with the practitioner"},
			{Name: "next_booking_on", Title: "Next booking", Type: Day, Description: "With the practitioner"},
			{Name: "is_latest", Title: "Saw them last", Type: Flag, Description: "Whether the practitioner saw the patient at the last visit in the discipline"},
			{Name: "staff_member", Title: "Practitioner", Type: Text},
		},
		Marts: []string{"caseload"},
		Rows:  true,
		order: "days_since desc, patient, discipline, staff_member",
	},
	{
		Name:        "caseload_summary",
		Title:       "Caseload by status",
		Description: "How many patients of a caseload are active, at risk, fallen off and finished, each once, by the discipline in which they are the most engaged.",
		Parameters:  []Parameter{chosen("staff_member", "Practitioner"), disciplineParameter},
		Columns: []Column{
			{Name: "title", Title: "Status", Type: Text},
			{Name: "patients", Title: "Patients", Type: Integer, Unit: Count},
			{Name: "share", Title: "Share", Type: Number, Unit: Fraction},
			{Name: "nothing_booked", Title: "Nothing booked", Type: Integer, Unit: Count, Description: "Those of them without a booking ahead"},
			{Name: "status", Title: "Slug", Type: Text},
		},
		Marts: []string{"caseload"},
		order: "place",
	},
	{
		Name:        "outlook_models",
		Title:       "Which rule ranks the work list",
		Description: "How well each discipline's two rules ranked, and how many visits were expected, on the 90 days before the snapshot's day.",
		Columns: []Column{
			disciplineColumn,
			{Name: "ranked_by", Title: "Ranked by", Type: Text},
			{Name: "ranked_because", Title: "Because", Type: Text},
			{Name: "concordance_p_alive", Title: "Model ranks right", Type: Number, Unit: Fraction, Description: "How often the model puts one who came above one who did not"},
			{Name: "concordance_days_over_gap", Title: "Plain rule ranks right", Type: Number, Unit: Fraction, Description: "The same of days since the last visit by the patient's own rhythm"},
			{Name: "predicted_visits", Title: "Visits expected", Type: Number},
			{Name: "observed_visits", Title: "Visits that came", Type: Integer, Unit: Count},
			{Name: "episodes", Title: "Episodes", Type: Integer, Unit: Count},
			{Name: "fallback", Title: "Why not its own model", Type: Text},
		},
		Marts: []string{"outlook_models"},
		order: "discipline",
	},
}
