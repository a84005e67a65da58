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
}

// activityReport is built from the portal's own log, every other report from the clinic.
const activityReport = "activity"

var reportScreens = []report{
	{simclinic.Appointments, "Appointments", seeAppointmentReports},
	{simclinic.Hours, "Hours scheduled and booked", seeAppointmentReports},
	{simclinic.Sales, "Sales", seeBilling},
	{simclinic.Claims, "Claim submissions", seeBilling},
	{simclinic.Policies, "Insurance policies", seeBilling},
	{activityReport, "Activity log", seeActivity},
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
	// Hang and Write are faults that the page commits.
	Hang  bool `json:"hang,omitempty"`
	Write bool `json:"write,omitempty"`
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
	filters := p.filtersOf(s.username)
	found, cached, err := p.resultFor(slug, filters, r.URL.Query().Get("fresh") == "1" && !p.faults.keepsStale())
	if err != nil {
		p.refuse(w, r, refusedReport)
		return
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
	p.faults.spoil(&answer)
	p.answer(w, answer)
}
