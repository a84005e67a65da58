package query

var certaintyParameter = Parameter{
	Name: "certainty", Title: "Certainty", Type: ChoiceParameter, Default: "owed",
	Allowed:     []string{"owed", "firm", "likely", "estimate", "all"},
	Description: "owed is firm and likely together; estimates are never part of what is owed",
}

// What released tables leave out: of leaks, and in general.
const (
	ofMonthsOver = "Of services in months that are over, firm and likely leaks together."
	ofMonths     = "Of months that are over."
)

var categoryParameter = Parameter{
	Name: "category", Title: "Category", Type: ChoiceParameter, Default: "all", Allowed: categoryChoices(),
	Description: "One category of the ledger, or all",
}

//nolint:goconst // a catalogue is read as a table: names and words stay where they are used
var leakQueries = []Definition{
	{
		Name:        "leak_total",
		Title:       "Money leaked",
		Description: "What leaks in all at the snapshot's day, by how sure it is. Estimates stand beside the sum, never in it.",
		Columns: []Column{
			{Name: "amount_cents", Title: "Leaked", Type: Integer, Unit: Cents, Description: "Firm and likely leaks together"},
			{Name: "leaks", Title: "Leaks", Type: Integer, Unit: Count},
			{Name: "patients", Title: "Patients", Type: Integer, Unit: Count, Description: "Patients with a firm or likely leak"},
			{Name: "firm_cents", Title: "Firm", Type: Integer, Unit: Cents, Description: "Invoiced and owed"},
			{Name: "likely_cents", Title: "Likely", Type: Integer, Unit: Cents, Description: "Not invoiced yet, or past what a policy pays"},
			{Name: "estimate_cents", Title: "Estimated besides", Type: Integer, Unit: Cents},
			{Name: "as_of", Title: "As of", Type: Day},
		},
		Released: &Released{Tables: []string{"leaks", "estimates"}, Says: ofMonthsOver},
		Marts:    []string{"leak_ledger"},
		order:    "amount_cents",
	},
	{
		Name:        "leaks_by_category",
		Title:       "Money leaked by category",
		Description: "The ledger's open leaks at the snapshot's day, summed by category, the largest first.",
		Parameters:  []Parameter{certaintyParameter},
		Columns: []Column{
			{Name: "title", Title: "Category", Type: Text},
			{Name: "amount_cents", Title: "Leaked", Type: Integer, Unit: Cents},
			{Name: "leaks", Title: "Leaks", Type: Integer, Unit: Count},
			{Name: "share", Title: "Share", Type: Number, Unit: Fraction, Description: "Of the money in this answer"},
			{Name: "oldest_on", Title: "Oldest", Type: Day, Description: "Service day of the oldest leak"},
			{Name: "remedy", Title: "What to do", Type: Text},
			{Name: "category", Title: "Slug", Type: Text},
		},
		Released: &Released{Tables: []string{"leaks_by_category"}, Says: ofMonthsOver, Only: map[string][]string{"certainty": {"owed"}}},
		Marts:    []string{"leak_ledger"},
		order:    "amount_cents desc, category",
	},
	{
		Name:        "leaks_by_month",
		Title:       "Money leaked by service month",
		Description: "The ledger's open leaks at the snapshot's day by the month of the service; closed months as they were published, whole.",
		Parameters: []Parameter{
			{
				Name: "split", Title: "Split by", Type: ChoiceParameter, Default: "category",
				Allowed:     []string{"category", "certainty", "discipline", "location", "all"},
				Description: "One series for each value",
			},
			certaintyParameter,
		},
		TimeRange: "service days",
		Columns: []Column{
			{Name: "month", Title: "Month", Type: Day, Description: "First day of the service month"},
			{Name: "series", Title: "Series", Type: Text},
			{Name: "amount_cents", Title: "Leaked", Type: Integer, Unit: Cents},
			{Name: "leaks", Title: "Leaks", Type: Integer, Unit: Count},
			{Name: "restated_cents", Title: "Now", Type: Integer, Unit: Cents, Description: "What a closed month comes to now, for the day that it was published for"},
			{Name: "is_closed", Title: "Closed", Type: Flag, Description: "Whether the month's figures are published and fixed"},
		},
		Series: &Series{X: "month", Name: "series", Value: "amount_cents"},
		Released: &Released{
			Tables: []string{"leaks_by_month_category", "leaks_by_month_discipline", "leaks_by_month_location", "leaks_by_month"},
			Says:   ofMonthsOver,
			Only:   map[string][]string{"certainty": {"owed"}, "split": {"category", "discipline", "location", "all"}},
		},
		Marts: []string{"leak_ledger", "published_figures"},
		order: "month, place, series",
	},
	{
		Name:        "restatements",
		Title:       "Restatements of closed months",
		Description: "What later corrections made of the figures of closed months. What was published stays; this stands beside it.",
		Parameters: []Parameter{
			{
				Name: "figure", Title: "Figure", Type: ChoiceParameter, Default: "all",
				Allowed: []string{
					"all", "leaked", "leaks", "charged", "open", "invoices", "receivable", "adjusted", "appointments", "patients_seen",
					"episodes_begun", "episodes_lapsed", "open_hours", "booked_hours",
				},
				Description: "One figure, or all",
			},
			{
				Name: "show", Title: "Show", Type: ChoiceParameter, Default: "current", Allowed: []string{"current", "all"},
				Description: "current is what differs from the published figure now; all is every change on the way",
			},
		},
		Columns: []Column{
			{Name: "month", Title: "Month", Type: Day, Description: "First day of the closed month"},
			{Name: "figure", Title: "Figure", Type: Text},
			{Name: "category", Title: "Category", Type: Text},
			{Name: "split", Title: "Of", Type: Text, Description: "What else the figure is split by"},
			{Name: "unit", Title: "Unit", Type: Text, Description: "cents, count or minutes"},
			{Name: "published", Title: "Published", Type: Integer},
			{Name: "before", Title: "Before", Type: Integer, Description: "What it was before this change"},
			{Name: "restated", Title: "Since", Type: Integer, Description: "What it is since this change"},
			{Name: "difference", Title: "Restated by", Type: Integer, Description: "From what was published"},
			{Name: "since_commit", Title: "Commit", Type: Integer, Description: "The commit whose data showed it first: falloff lake log says when and what it was"},
			{Name: "first_seen", Title: "First seen", Type: Day},
			{Name: "is_current", Title: "Current", Type: Flag, Description: "Whether nothing came after it"},
		},
		Marts: []string{"restatements"},
		order: "month, since_commit, figure, category, split",
	},
	{
		Name:        "worst_open_leaks",
		Title:       "Worst open leaks",
		Description: "The largest single leaks, with the evidence for each and what to do about it.",
		Parameters: []Parameter{
			{
				Name: "limit", Title: "Rows", Type: IntegerParameter, Default: int64(20), Min: 1, Max: 1000,
				Description: "How many leaks",
			},
			certaintyParameter,
			categoryParameter,
		},
		Columns: []Column{
			{Name: "occurred_on", Title: "Service day", Type: Day},
			{Name: "title", Title: "Leak", Type: Text},
			{Name: "amount_cents", Title: "Amount", Type: Integer, Unit: Cents},
			{Name: "age_days", Title: "Age", Type: Integer, Unit: Days},
			{Name: "certainty", Title: "Certainty", Type: Text},
			{Name: "source_id", Title: "Invoice or appointment", Type: Text, Description: "As the clinic's own system numbers it"},
			{Name: "patient", Title: "Patient", Type: Text, Description: "A pseudonym"},
			{Name: "staff_member", Title: "Staff member", Type: Text},
			{Name: "location", Title: "Location", Type: Text},
			{Name: "item", Title: "Item", Type: Text},
			{Name: "payer", Title: "Payer", Type: Text},
			{Name: "evidence", Title: "Evidence", Type: Text},
			{Name: "remedy", Title: "What to do", Type: Text},
			{Name: "category", Title: "Slug", Type: Text},
		},
		Marts: []string{"leak_ledger"},
		Rows:  true,
		order: "amount_cents desc, occurred_on, category, source_id",
	},
	{
		Name:        "receivables_aging",
		Title:       "Receivables by age",
		Description: "Open balances at the snapshot's day by age. What waits for another insurer's answer is counted once.",
		Parameters: []Parameter{
			{
				Name: "basis", Title: "Age since", Type: ChoiceParameter, Default: "invoice", Allowed: []string{"invoice", "service", "due"},
				Description: "The day from which the age counts",
			},
			{
				Name: "split", Title: "Split by", Type: ChoiceParameter, Default: "side", Allowed: []string{"side", "payer"},
				Description: "Insurers beside patients, or every payer",
			},
		},
		Columns: []Column{
			{Name: "bucket", Title: "Days", Type: Text, Description: "Age in days"},
			{Name: "series", Title: "Owed by", Type: Text},
			{Name: "amount_cents", Title: "Open", Type: Integer, Unit: Cents},
			{Name: "invoices", Title: "Invoices", Type: Integer, Unit: Count},
		},
		Series:   &Series{X: "bucket", Name: "series", Value: "amount_cents"},
		Released: &Released{Tables: []string{"receivables_by_bucket", "receivables_by_payer_bucket"}, Only: map[string][]string{"basis": {"invoice"}}},
		Marts:    []string{"receivables_aging"},
		order:    "place, series",
	},
}
