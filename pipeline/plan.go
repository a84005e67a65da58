package pipeline

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// How much a run reads when it is not told.
const (
	// TrailingDays is how much of the recent past every run reads again: invoices change for weeks.
	TrailingDays = 90
	// AheadDays is how far past the last day bookings are read: a booking ahead is engagement.
	AheadDays = 180
	// dayReportDays and dayReportsARun bound a report that the portal gives for one day at a time: the last week, and days
	// that were never read, at most so many in one run. A quarter of a year of them would be a night of its own.
	dayReportDays  = 7
	dayReportsARun = 31
)

// Why an order is in a plan.
const (
	WhyTrailing = "trailing window"
	WhyAsked    = "asked for"
	WhyGap      = "not read since the last run"
	WhyMoney    = "open money"
	WhyRota     = "rota"
)

// PlanOptions say what a run is about.
type PlanOptions struct {
	// Day is D: the last day that is read, whose end the reports show.
	Day civil.Date
	// From asks for everything from that day on; zero reads the trailing window and what is due besides.
	From civil.Date
	// Trailing is the length of the trailing window in days, TrailingDays if zero.
	Trailing int
	// Ahead is how many days past Day bookings are read, AheadDays if zero.
	Ahead int
	// Only limits the plan to the named reports, over the trailing window or from From on, and nothing older.
	Only []string
}

// A Plan is the exports of one run, in their order. It depends on the options, the portal's reports and the lake's newest
// commit alone.
type Plan struct {
	Day    civil.Date     `json:"day"`
	Orders []PlannedOrder `json:"orders"`
	// From is the first day that was asked for, zero where what is due is read.
	From civil.Date `json:"from,omitzero"`
}

// A PlannedOrder is one export and why it is made.
type PlannedOrder struct {
	Report  string            `json:"report"`
	Dataset string            `json:"dataset"`
	Window  extractors.Window `json:"window"`
	Why     []string          `json:"why"`
	// Requests is about how many requests it takes. Measured says that the portal has been asked for this report before, and
	// that it took as many then.
	Requests int  `json:"requests_about,omitempty"`
	Measured bool `json:"measured,omitempty"`
}

// Order is what the portal is asked for.
func (o PlannedOrder) Order() extractors.Order {
	return extractors.Order{Report: o.Report, Dataset: o.Dataset, Window: o.Window}
}

func (p Plan) orders() []extractors.Order {
	out := make([]extractors.Order, len(p.Orders))
	for i, o := range p.Orders {
		out[i] = o.Order()
	}
	return out
}

// Plan makes the plan of a run over what has landed.
func (s *Site) Plan(ctx context.Context, kinds []extractors.ReportKind, o PlanOptions) (Plan, error) {
	if o.Trailing == 0 {
		o.Trailing = TrailingDays
	}
	if o.Ahead == 0 {
		o.Ahead = AheadDays
	}
	head, err := s.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		head, err = &lake.Commit{}, nil
	}
	if err != nil {
		return Plan{}, storage("planning the run", err)
	}
	p := planner{o: o, head: head}
	p.recent()
	if len(o.Only) == 0 {
		if p.money, err = s.openMonths(ctx, head, p.window.From); err != nil {
			return Plan{}, err
		}
		p.rota = p.rotaMonth(kinds)
	}
	plan, known := Plan{Day: o.Day, From: o.From}, costsOf(head)
	seen := map[string]bool{}
	for _, k := range kinds {
		if len(o.Only) > 0 && !slices.Contains(o.Only, k.Name) {
			continue
		}
		for _, order := range p.ordersOf(k) {
			if id := order.Order().ID(); !seen[id] {
				seen[id] = true
				order.Requests, order.Measured = known.of(order.Report)
				plan.Orders = append(plan.Orders, order)
			}
		}
	}
	return plan, nil
}

// due is a range that is to be read, and why.
type due struct {
	extractors.Window
	why []string
}

type planner struct {
	o    PlanOptions
	head *lake.Commit
	// window is what every report is read over, why says why; money and rota are months before it.
	window extractors.Window
	why    string
	money  []extractors.Window
	rota   []extractors.Window
}

// recent finds the window that every report is read over: it reaches back to where the last run ended.
func (p *planner) recent() {
	p.window, p.why = extractors.Window{From: p.o.Day.AddDays(1 - p.o.Trailing), To: p.o.Day}, WhyTrailing
	if p.o.From.IsValid() {
		p.window.From, p.why = p.o.From, WhyAsked
		return
	}
	covers := p.head.Datasets[contract.Appointments].Covers
	// What was covered to its own end: bookings ahead are covered too, without having happened.
	var read civil.Date
	for _, c := range covers {
		if last := earlierOf(c.To, c.ObservedOn); last.After(read) {
			read = last
		}
	}
	if read.IsValid() && read.AddDays(1).Before(p.window.From) {
		p.window.From, p.why = read.AddDays(1), WhyGap
	}
}

// timeless are datasets whose reports show how things stand, so that no window makes them older.
func timeless(dataset string) bool {
	switch dataset {
	case contract.Policies, contract.Insurers, contract.UnscheduledPatients, contract.Credits, contract.PortalActivity:
		return true
	default:
		return false
	}
}

// moneyed are datasets that change while money is open.
func moneyed(dataset string) bool {
	switch dataset {
	case contract.InvoiceLines, contract.Claims, contract.Payments, contract.AppliedPayments, contract.Adjustments, contract.WriteOffs:
		return true
	default:
		return false
	}
}

// onRota says whether older months of a report are read again: not those that show how things stand, nor those of single days.
func onRota(k extractors.ReportKind) bool {
	return k.Period != extractors.AsOf && k.Period != extractors.EachDay && !timeless(k.Dataset)
}

// ordersOf plans one report.
func (p *planner) ordersOf(k extractors.ReportKind) []PlannedOrder {
	dues := []due{{p.window, []string{p.why}}}
	if k.Period == extractors.EachDay && p.why != WhyAsked {
		dues = p.days(k)
	}
	if onRota(k) {
		if moneyed(k.Dataset) {
			for _, m := range p.money {
				dues = append(dues, due{m, []string{WhyMoney}})
			}
		}
		for _, m := range p.rota {
			dues = append(dues, due{m, []string{WhyRota}})
		}
	}
	var out []PlannedOrder
	for _, d := range joined(dues) {
		ahead := 0
		if d.To == p.window.To {
			ahead = p.o.Ahead
		}
		for _, order := range k.Orders(d.Window, ahead) {
			planned := PlannedOrder{Report: order.Report, Dataset: order.Dataset, Window: order.Window}
			for _, reason := range dues {
				if overlap(reason.Window, order.Window) {
					planned.Why = append(planned.Why, reason.why...)
				}
			}
			if len(planned.Why) == 0 { // what lies ahead of the window
				planned.Why = []string{p.why}
			}
			slices.Sort(planned.Why)
			planned.Why = slices.Compact(planned.Why)
			out = append(out, planned)
		}
	}
	return out
}

// days are the last days of the window, and those before that no report has covered yet.
func (p *planner) days(k extractors.ReportKind) []due {
	covers := p.coversOf(k)
	var out []due
	for d := p.window.To; !d.Before(p.window.From) && len(out) < dayReportsARun; d = d.AddDays(-1) {
		one := extractors.Window{From: d, To: d}
		switch {
		case p.window.To.DaysSince(d) < dayReportDays:
			out = append(out, due{one, []string{p.why}})
		case !observed(covers, one).IsValid():
			out = append(out, due{one, []string{WhyGap}})
		}
	}
	return out
}

// joined joins ranges that touch, so that the portal is asked once.
func joined(dues []due) []due {
	all := slices.Clone(dues)
	slices.SortFunc(all, func(a, b due) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	var out []due
	for _, d := range all {
		if n := len(out); n > 0 && !d.From.After(out[n-1].To.AddDays(1)) {
			if d.To.After(out[n-1].To) {
				out[n-1].To = d.To
			}
			continue
		}
		out = append(out, d)
	}
	return out
}

// coversOf is what is known to be complete of a report's dataset. Hours of longer periods than a day lie apart.
func (p *planner) coversOf(k extractors.ReportKind) []lake.Coverage {
	dataset := k.Dataset
	if dataset == contract.Shifts && k.Period != extractors.EachDay {
		dataset = contract.ShiftPeriods
	}
	return p.head.Datasets[dataset].Covers
}

func overlap(a, b extractors.Window) bool { return !a.From.After(b.To) && !b.From.After(a.To) }
