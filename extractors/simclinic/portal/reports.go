package portal

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// report is a screen that shows rows and exports them.
type report struct {
	slug, title string
	needs       capability
	// asOf says that the screen asks for a day and no range; maxDays is the longest range it takes, 0 for any.
	asOf    bool
	maxDays int
}

// over is what a report is computed for when somebody's filters are these.
func (r report) over(filters Filters) Filters {
	if r.asOf {
		filters.From = filters.To
	}
	return filters
}

// tooLong says what a person is told of a range that the report does not take, empty where it does.
func (r report) tooLong(filters Filters) string {
	if days := filters.To.DaysSince(filters.From) + 1; r.maxDays > 0 && days > r.maxDays {
		return fmt.Sprintf("This report takes at most %d days at a time. Please choose a shorter range.", r.maxDays)
	}
	return ""
}

// activityReport is built from the portal's own log, every other report from the clinic.
const activityReport = "activity"

var reportScreens = []report{
	{slug: simclinic.Appointments, title: "Appointments", needs: seeAppointmentReports},
	{slug: simclinic.Unscheduled, title: "Unscheduled patients", needs: seeAppointmentReports, asOf: true},
	{slug: simclinic.Hours, title: "Hours scheduled and booked", needs: seeAppointmentReports},
	{slug: simclinic.Sales, title: "Sales", needs: seeBilling},
	{slug: simclinic.Transactions, title: "Transactions", needs: seeBilling, maxDays: 31},
	{slug: simclinic.Applied, title: "Applied and unapplied payments", needs: seeBilling},
	{slug: simclinic.Adjustments, title: "Adjustments", needs: seeBilling},
	{slug: simclinic.WriteOffs, title: "Write-offs", needs: seeBilling},
	{slug: simclinic.Receivables, title: "Accounts receivable", needs: seeBilling, asOf: true},
	{slug: simclinic.Credits, title: "Credits", needs: seeBilling, asOf: true},
	{slug: simclinic.Claims, title: "Claim submissions", needs: seeBilling},
	{slug: simclinic.Policies, title: "Insurance policies", needs: seeBilling},
	{slug: activityReport, title: "Activity log", needs: seeActivity},
}

func findReport(slug string) (report, bool) {
	for _, candidate := range reportScreens {
		if candidate.slug == slug {
			return candidate, true
		}
	}
	return report{}, false
}

// resultKey is what a computed report depends on. The clinic is left out on purpose: a result stays as it was computed
// until somebody asks for a fresh copy, also when the clinic's records have moved on.
type resultKey struct {
	slug    string
	filters Filters
}

type result struct {
	table      simclinic.Table
	computedAt time.Time
}

// maxResults bounds the memory of remembered results.
const maxResults = 12

// results computes reports and remembers them, one at a time.
type results struct {
	mu    sync.Mutex
	known map[resultKey]result

	// logs are the activity logs as people were shown them: by the time one is exported it is longer.
	logs map[Filters]simclinic.Table

	// clinicMu is apart, so that other pages need not wait for a report that is being computed.
	clinicMu sync.Mutex
	clinic   office
}

func (c *results) current() office {
	c.clinicMu.Lock()
	defer c.clinicMu.Unlock()
	return c.clinic
}

func (c *results) replace(clinic office) {
	c.clinicMu.Lock()
	defer c.clinicMu.Unlock()
	c.clinic = clinic
}

// find gives a report's result and whether it was computed before.
func (c *results) find(key resultKey, fresh bool, now time.Time, keep time.Duration) (result, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.known[key]; ok && !fresh && keep > 0 && now.Sub(known.computedAt) < keep {
		return known, true, nil
	}
	table, err := c.current().Table(key.slug, key.filters.From, key.filters.To)
	if err != nil {
		return result{}, false, fmt.Errorf("computing report %s: %w", key.slug, err)
	}
	computed := result{table: narrow(table, key.filters), computedAt: now}
	if c.known == nil {
		c.known = map[resultKey]result{}
	}
	if len(c.known) >= maxResults {
		c.forgetOldest()
	}
	c.known[key] = computed
	return computed, false, nil
}

func (c *results) forgetOldest() {
	var oldest resultKey
	var at time.Time
	for key, known := range c.known {
		if at.IsZero() || known.computedAt.Before(at) {
			oldest, at = key, known.computedAt
		}
	}
	delete(c.known, oldest)
}

// showLog remembers the activity log as it is shown; shownLog is what was shown last, or the log as it is now.
func (c *results) showLog(filters Filters, table simclinic.Table) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logs == nil || len(c.logs) >= maxResults {
		c.logs = map[Filters]simclinic.Table{}
	}
	c.logs[filters] = table
}

func (c *results) shownLog(filters Filters, now func() simclinic.Table) simclinic.Table {
	c.mu.Lock()
	table, ok := c.logs[filters]
	c.mu.Unlock()
	if !ok {
		return now()
	}
	return table
}

// resultFor computes or recalls a report for an account's filters.
func (p *Portal) resultFor(slug string, filters Filters, fresh bool) (result, bool, error) {
	now := p.now()
	if slug == activityReport {
		return result{table: p.activityTable(filters), computedAt: now}, false, nil
	}
	return p.results.find(resultKey{slug, filters}, fresh, now, p.options.CacheFor)
}

// reportPage is one page of a report as the screen gets it.
type reportPage struct {
	filtersForm
	Report     string     `json:"report"`
	Title      string     `json:"title"`
	Headers    []string   `json:"headers"`
	Rows       [][]string `json:"rows"`
	Page       int        `json:"page"`
	Pages      int        `json:"pages"`
	Total      int        `json:"total"`
	Cached     bool       `json:"cached"`
	ComputedAt string     `json:"computed_at"`
	// Beside is a patient whose picture the billing screens show beside the rows, 0 for none.
	Beside int `json:"beside,omitempty"`
}

func (p *Portal) showReport(w http.ResponseWriter, r *http.Request) {
	p.runReport(w, r, r.PathValue("report"))
}

func (p *Portal) showActivity(w http.ResponseWriter, r *http.Request) {
	p.runReport(w, r, activityReport)
}

func (p *Portal) runReport(w http.ResponseWriter, r *http.Request, slug string) {
	screen, ok := findReport(slug)
	if !ok {
		p.refuse(w, r, refusedUnknown)
		return
	}
	s, ok := p.allowed(w, r, screen.needs)
	if !ok {
		return
	}
	number := 1
	if text := r.URL.Query().Get("page"); text != "" {
		var err error
		if number, err = strconv.Atoi(text); err != nil || number < 1 {
			p.refuse(w, r, refusedInput("There is no such page."))
			return
		}
	}
	filters := screen.over(p.filtersOf(s.username))
	if why := screen.tooLong(filters); why != "" {
		p.refuse(w, r, refusedInput(why))
		return
	}
	found, cached, err := p.resultFor(slug, filters, r.URL.Query().Get("fresh") == "1")
	if err != nil {
		p.refuse(w, r, refusedReport)
		return
	}
	if slug == activityReport {
		p.results.showLog(filters, found.table)
	}
	size, total := p.options.PageSize, len(found.table.Rows)
	pages := max(1, (total+size-1)/size)
	if number > pages {
		p.refuse(w, r, refusedInput("There is no such page."))
		return
	}
	rows := found.table.Rows[(number-1)*size : min(number*size, total)]
	entry := Entry{Action: ActionRan, Subject: screen.title, Filters: filters, Rows: total}
	if number > 1 {
		entry.Action, entry.Subject = ActionOpened, fmt.Sprintf("page %d of %s", number, screen.title)
	}
	p.record(s.username, entry)
	clinic := p.results.current()
	answer := reportPage{
		filtersForm: filters.form(), Report: slug, Title: screen.title, Headers: found.table.Headers,
		Rows: clinic.printed(found.table, rows), Page: number, Pages: pages, Total: total, Cached: cached,
		ComputedAt: found.computedAt.Format("15:04:05"),
	}
	if screen.needs == seeBilling {
		answer.Beside = 1 + (number-1)%max(1, len(clinic.patients()))
	}
	p.answer(w, answer)
}
