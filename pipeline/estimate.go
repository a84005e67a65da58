package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// What a visit, and an export that was never made before, cost in requests: measured on the simulated portal.
const (
	requestsAVisit   = 12
	requestsAnExport = 9
)

// cost is how many requests a number of exports took.
type cost struct {
	Exports  int `json:"exports"`
	Requests int `json:"requests"`
}

// costs are what exports took the last time that it could be measured, by report.
type costs map[string]cost

// costsOf reads what is known at a commit.
func costsOf(head *lake.Commit) costs { return checkpointIn(head.Sources[portalSource]).Costs }

// with gives both, the newer where both have a report.
func (c costs) with(newer costs) costs {
	out := costs{}
	for _, from := range []costs{c, newer} {
		maps.Copy(out, from)
	}
	return out
}

// of is about how many requests an export of a report takes, and whether that was measured.
func (c costs) of(report string) (requests int, measured bool) {
	known, ok := c[report]
	if !ok || known.Exports == 0 {
		return requestsAnExport, false
	}
	return (known.Requests + known.Exports/2) / known.Exports, true
}

// A meter finds out what exports cost from what a source says that it has sent: right after it was let begin a report, and when it
// has left the portal.
type meter struct {
	orders []extractors.Order
	costs  costs
	// begun counts the reports that were let begin. asked says that the last of them was, and that nothing was told since.
	begun int
	asked bool
	// whole says that all of what is told next is one export's: no sign-in, and no way out.
	whole bool
}

// begins is called when a report is let begin.
func (m *meter) begins() { m.begun, m.asked = m.begun+1, true }

// told is called with how many requests were sent since the last time.
func (m *meter) told(requests int) {
	if !m.asked { // it has left the portal, and a report that goes on after that signs in again
		m.whole = false
		return
	}
	if m.whole && m.begun <= len(m.orders) {
		if m.costs == nil {
			m.costs = costs{}
		}
		report := m.orders[m.begun-2].Report
		m.costs[report] = cost{m.costs[report].Exports + 1, m.costs[report].Requests + requests}
	}
	m.asked, m.whole = false, m.begun > 1
}

// Requests estimates how many requests the plan sends to the portal.
func (p Plan) Requests() int {
	n := requestsAVisit
	for _, o := range p.Orders {
		n += o.Requests
	}
	return n
}

// An Estimate is what a plan will ask of the portal.
type Estimate struct {
	Exports  int `json:"exports"`
	Requests int `json:"requests_about"`
	// Measured is of how many exports it is known from earlier runs what they take; of the others it is assumed.
	Measured int `json:"measured"`
	// Budget is how many requests a day the portal is asked at most, negative for any number; Days how many days that makes.
	Budget  int              `json:"requests_a_day"`
	Days    int              `json:"days"`
	Reports []ReportEstimate `json:"reports"`
}

// A ReportEstimate is what a plan will ask of one report.
type ReportEstimate struct {
	Report   string     `json:"report"`
	Exports  int        `json:"exports"`
	From     civil.Date `json:"from"`
	To       civil.Date `json:"to"`
	Requests int        `json:"requests_about"`
}

// Estimate says what the plan asks of the portal under a budget of requests a day, DefaultBudget if zero.
func (p Plan) Estimate(budget int) Estimate {
	if budget == 0 {
		budget = DefaultBudget
	}
	e := Estimate{Exports: len(p.Orders), Requests: p.Requests(), Budget: budget, Days: 1}
	if budget > 0 {
		e.Days = max(1, (e.Requests+budget-1)/budget)
	}
	for _, o := range p.Orders {
		if o.Measured {
			e.Measured++
		}
		i := slices.IndexFunc(e.Reports, func(r ReportEstimate) bool { return r.Report == o.Report })
		if i < 0 {
			i = len(e.Reports)
			e.Reports = append(e.Reports, ReportEstimate{Report: o.Report, From: o.Window.From, To: o.Window.To})
		}
		r := &e.Reports[i]
		r.Exports++
		r.Requests += o.Requests
		r.From = earlierOf(r.From, o.Window.From)
		if o.Window.To.After(r.To) {
			r.To = o.Window.To
		}
	}
	return e
}

// String says in a sentence how much that is.
func (e Estimate) String() string {
	text := fmt.Sprintf("%s, about %s", counted(e.Exports, "export"), counted(e.Requests, "request"))
	if e.Days > 1 {
		text += fmt.Sprintf(": %d days at %d requests a day", e.Days, e.Budget)
	}
	return text
}

// Basis says where the estimate comes from.
func (e Estimate) Basis() string {
	visit := fmt.Sprintf("%d for the visit", requestsAVisit)
	assumed := fmt.Sprintf("%d, which is what they take on the simulated portal", requestsAnExport)
	switch e.Measured {
	case 0:
		return fmt.Sprintf("Nothing is known yet of what this portal's reports take: reckoned are %s, and for an export %s.", visit, assumed)
	case e.Exports:
		return fmt.Sprintf("Reckoned are %s, and for an export what its report took in earlier runs.", visit)
	default:
		return fmt.Sprintf("Reckoned are %s, for %d exports what their reports took in earlier runs, and for the others %s.", visit, e.Measured, assumed)
	}
}

// String prints the plan as a person reads it.
func (p Plan) String() string {
	var out strings.Builder
	for _, o := range p.Orders {
		fmt.Fprintf(&out, "%-24s %s  %s\n", o.Report, o.Window, strings.Join(o.Why, ", "))
	}
	return out.String()
}
