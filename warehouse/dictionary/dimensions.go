package dictionary

import "slices"

// Kind is how a dimension's values are to be read.
type Kind string

// The kinds of dimensions.
const (
	// Name is what people or the clinic call something.
	Name Kind = "name"
	// Code is a word out of a list: lower case, with underscores.
	Code Kind = "code"
	// Ordinal is a whole number.
	Ordinal Kind = "number"
	// Period is a month or a week.
	Period Kind = "period"
)

// Dimension is something that figures are split by.
type Dimension struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	About string `json:"description"`
	Kind  Kind   `json:"kind"`
}

// seriesColumn says which of several things a row is split by, splitColumn has that thing's value.
const (
	seriesColumn = "dimension"
	splitColumn  = "split_by"
)

// dimensions are all there are; a test compares them with the metrics.
var dimensions = []Dimension{
	{"basis", "Age since", "The day from which the age of a balance counts: invoice, service or due.", Code},
	{"beginning", "Beginning", "Whether the patient was new or came back.", Code},
	{"bucket", "Age in days", "How old a balance is, in days.", Name},
	{"category", "Category", "Category of the ledger of leaks.", Code},
	{"certainty", "Certainty", "How sure a leak is: firm, likely or estimate.", Code},
	{"cohort_month", "Month of the first visit", "Month in which the episode began.", Period},
	{"currency", "Currency", "ISO 4217 code; the clinic's own unless another one is asked for.", Name},
	{"days", "Days", "Days since the first visit.", Ordinal},
	{"definition", "Definition", "When an episode counts as fallen off: at its first lapse, or after its last visit.", Code},
	{"discipline", "Discipline", "As the clinic calls it.", Name},
	{"figure", "Figure", "Which figure of a closed month.", Code},
	{"hour", "Hour", "Hour of the day at which it begins, in the clinic's time zone.", Name},
	{"kind", "Kind", "Which kind of it.", Code},
	{"lead_time", "Lead time", "Days from the booking to the day.", Code},
	{"location", "Location", "As the clinic calls it.", Name},
	{"month", "Month", "Month of the service, or of what happened.", Period},
	{"month_index", "Months since", "Calendar months since the first visit's.", Ordinal},
	{"outcome", "Outcome", "How the episode ended.", Code},
	{"payer", "Payer", "Insurer, or who else pays.", Name},
	{"payer_kind", "Who pays", "An insurer, a person, or nobody.", Code},
	{"ranked_by", "Ranked by", "The rule that ranks patients.", Code},
	{"reason", "Reason", "Why there is a warning.", Code},
	{"side", "Owed by", "Insurers or patients.", Code},
	{"staff_member", "Staff member", "Practitioner, by name or pseudonym, as the clinic chose.", Name},
	{"state", "State", "How a leak stands by what people said of it.", Code},
	{"status", "Status", "Of patients: active, at risk, fallen off or finished.", Code},
	{"visit_number", "Visit", "Number of the visit in its episode.", Ordinal},
	{"week", "Week", "Week, from Monday on.", Period},
	{"weekday", "Weekday", "1 is Monday, 7 is Sunday.", Name},
}

// DimensionNamed finds a dimension.
func DimensionNamed(name string) (Dimension, bool) {
	at := slices.IndexFunc(dimensions, func(d Dimension) bool { return d.Name == name })
	if at < 0 {
		return Dimension{}, false
	}
	return dimensions[at], true
}

// Splits are what a person may split the figure by, or choose values of: its dimensions without its periods, and each of its series.
// They are known to DimensionNamed.
func (m Metric) Splits() []Dimension {
	var out []Dimension
	for _, name := range slices.Concat(m.Dimensions, m.Series) {
		d, ok := DimensionNamed(name)
		if ok && name != m.Period() && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// IsSeries says that a dimension is one of several that the figure is split by one at a time.
func (m Metric) IsSeries(dimension string) bool {
	return slices.Contains(m.Series, dimension) && !slices.Contains(m.Dimensions, dimension)
}

// Period is the column that a time range narrows, empty where the figure is about the day of the snapshot as a whole.
func (m Metric) Period() string {
	for _, name := range []string{"month", "week", "cohort_month"} {
		if slices.Contains(m.Dimensions, name) {
			return name
		}
	}
	return ""
}

// Grains are the lengths of time that a person may ask a figure for, the finest first. One that cannot be combined has its own alone.
func (m Metric) Grains() []string {
	coarser := []string{"month", "quarter", "year"}
	switch {
	case m.Period() == "":
		return []string{}
	case m.Combine == Never:
		return coarser[:1]
	case m.Period() == "week":
		return slices.Concat([]string{"week"}, coarser)
	default:
		return coarser
	}
}

// Needed are the dimensions that the figure must be split by, or of which one value must be chosen: rows of several are not to be
// combined, and no value is held. Its period is among them where it has one that is not held.
func (m Metric) Needed() []string {
	needed := []string{}
	if m.Combine != Never {
		return needed
	}
	for _, name := range m.Dimensions {
		if _, held := m.Hold[name]; !held && name != "currency" && name != splitColumn {
			needed = append(needed, name)
		}
	}
	return needed
}
