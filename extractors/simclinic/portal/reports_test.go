package portal

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/civil"
)

func TestFiltersAreRememberedAcrossReportsAndSessions(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	// Somebody used the account before: two weeks of the month before, one of the two locations.
	if page := c.run("sales", ""); page.From != "2026-08-04" || page.To != "2026-08-17" || page.Location != "North" || page.Total != 7 {
		t.Errorf("the first report is of %+v with %d rows, want 2026-08-04 to 2026-08-17 at North with 7", page.filtersForm, page.Total)
	}
	c.setFilters("2026-06-01", "2026-06-10", "", "Ben Thorn").want(t, 200, "2026-06-10")
	again := enter(t, p)
	// The fake's rows alternate: of ten days five are Ben's.
	for _, report := range []string{"sales", "appointments"} {
		if page := again.run(report, ""); page.From != "2026-06-01" || page.To != "2026-06-10" || page.Total != 5 {
			t.Errorf("%s: remembered %s to %s with %d rows, want 2026-06-01 to 2026-06-10 with 5", report, page.From, page.To, page.Total)
		}
	}
	// Claims name neither place nor staff, so nothing narrows them.
	if page := again.run("claims", ""); page.Total != 10 {
		t.Errorf("claims have %d rows, want 10", page.Total)
	}
	again.setFilters("", "", "", "").want(t, 200, `"from":"2026-09-01","to":"2026-09-30","location":"","staff":""`)
	if page := again.run("sales", ""); page.Total != 30 {
		t.Errorf("after reset there are %d rows, want the 30 days of September", page.Total)
	}
}

func TestRangesAreCheckedByTheServer(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	before := p.filtersOf("clerk")
	for _, w := range []struct{ from, to, location, staff, message string }{
		{"2026-05-02", "2026-05-01", "", "", "The range ends before it starts."},
		{"1999-12-31", "2026-05-01", "", "", "The range must lie between"},
		{"2026-05-01", "2100-01-01", "", "", "The range must lie between"},
		{"05/01/2026", "2026-05-01", "", "", "The first date must be written as YYYY-MM-DD."},
		{"2026-05-01", "2026-02-30", "", "", "The last date must be written as YYYY-MM-DD."},
		{"2026-05-01", "2026-05-01", "East", "", "There is no such location."},
		{"2026-05-01", "2026-05-01", "", "Cy Fern", "There is no such staff member."},
	} {
		c.setFilters(w.from, w.to, w.location, w.staff).want(t, 422, w.message)
	}
	c.ask("PUT", "/api/filters", map[string]int{"from": 1}).want(t, 400, "could not be understood")
	c.ask("PUT", "/api/filters", map[string]string{"form": "x"}).want(t, 400, "could not be understood")
	if p.filtersOf("clerk") != before {
		t.Error("a refused filter was remembered")
	}
	// One day is a range.
	c.setFilters("2026-05-01", "2026-05-01", "", "").want(t, 200, "2026-05-01")
}

func TestPagesAndCounts(t *testing.T) {
	p := newPortal(t, Options{PageSize: 20})
	c := enter(t, p)
	c.setFilters("2026-09-01", "2026-10-20", "", "") // 50 days
	for page, rows := range map[int]int{1: 20, 2: 20, 3: 10} {
		got := c.run("sales", fmt.Sprintf("?page=%d", page))
		if len(got.Rows) != rows || got.Total != 50 || got.Pages != 3 {
			t.Errorf("page %d shows %d of %d on %d pages, want %d of 50 on 3", page, len(got.Rows), got.Total, got.Pages, rows)
		}
	}
	for _, query := range []string{"?page=0", "?page=4", "?page=-1", "?page=two"} {
		c.ask("GET", "/api/reports/sales"+query, nil).want(t, 422, "There is no such page.")
	}
	c.ask("GET", "/api/reports/payroll", nil).want(t, 404, "nothing at this address")
}

func TestResultsAreKeptUntilAFreshCopyIsAskedFor(t *testing.T) {
	now := time.Date(2026, 9, 30, 9, 0, 0, 0, time.UTC)
	p := newPortal(t, Options{CacheFor: 15 * time.Minute, Clock: func() time.Time { return now }})
	c := enter(t, p)
	c.setFilters("", "", "", "")
	mark := func(page reportPage) string { return page.Rows[0][5] }

	if page := c.run("sales", ""); page.Cached || mark(page) != "first" {
		t.Errorf("the first run is cached=%v of %q", page.Cached, mark(page))
	}
	p.ReplaceClinic(&fakeClinic{today: newFakeClinic().today, mark: "second"})
	if page := c.run("sales", ""); !page.Cached || mark(page) != "first" {
		t.Errorf("the second run is cached=%v of %q, want the stale result", page.Cached, mark(page))
	}
	if page := c.run("sales", "?page=1&fresh=1"); page.Cached || mark(page) != "second" {
		t.Errorf("the fresh copy is cached=%v of %q", page.Cached, mark(page))
	}
	p.ReplaceClinic(&fakeClinic{today: newFakeClinic().today, mark: "third"})
	now = now.Add(15 * time.Minute)
	if page := c.run("sales", ""); page.Cached || mark(page) != "third" {
		t.Errorf("after 15 minutes the run is cached=%v of %q, want a new one", page.Cached, mark(page))
	}
}

func TestTheActivityLogHoldsWhatWasDone(t *testing.T) {
	now := time.Date(2026, 9, 30, 9, 0, 0, 0, time.UTC)
	p := newPortal(t, Options{Clock: func() time.Time { return now }, ExportDelay: brief})
	t.Cleanup(p.Close)
	c := enter(t, p)
	c.setFilters("2026-09-01", "2026-09-30", "South", "")
	c.run("sales", "")
	c.export("sales", "xlsx")
	c.ask("GET", "/api/account", nil)
	c.ask("GET", "/api/schedule", nil)
	c.ask("GET", "/api/patients/1", nil) // refused: no page was opened
	c.ask("DELETE", "/api/session", nil)

	month := Filters{From: civil.Date{Year: 2026, Month: 9, Day: 1}, To: civil.Date{Year: 2026, Month: 9, Day: 30}, Location: "South"}
	want := []Entry{
		{Action: ActionSignedIn},
		{Action: ActionRan, Subject: "Sales", Filters: month, Rows: 15},
		{Action: ActionExported, Subject: "Sales to XLSX", Filters: month, Rows: 15},
		{Action: ActionOpened, Subject: "account settings"},
		{Action: ActionOpened, Subject: "schedule"},
		{Action: ActionSignedOut},
	}
	got := p.Activity()
	if len(got) != len(want) {
		t.Fatalf("the log has %d entries, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		want[i].At, want[i].Account = now, "clerk"
		if got[i] != want[i] {
			t.Errorf("entry %d is %+v, want %+v", i, got[i], want[i])
		}
	}

	// The screen of the log shows the same, newest first, and only the days of the range.
	c = enter(t, p)
	page := c.run("activity", "")
	if page.Total != 7 || page.Rows[0][2] != "Signed in" || page.Rows[4][2] != "Exported Sales to XLSX for 2026-09-01 to 2026-09-30 at South" {
		t.Errorf("the log's screen shows %d rows: %q", page.Total, page.Rows)
	}
	c.setFilters("2026-09-01", "2026-09-29", "", "")
	if page := c.run("activity", ""); page.Total != 0 {
		t.Errorf("before the day of these actions the log shows %d rows", page.Total)
	}
}

func TestEveryRequestIsRecorded(t *testing.T) {
	p := newPortal(t, Options{})
	c := enter(t, p)
	c.ask("GET", "/api/patients/1", nil)
	c.ask("GET", "/nowhere", nil)
	c.ask("GET", "/downloads/x.csv?y=1", nil)
	var got []string
	for _, r := range p.Requests() {
		got = append(got, fmt.Sprintf("%s %s %s %s %d %s", r.Account, r.Method, r.Path, r.Query, r.Status, r.Nature))
	}
	want := []string{
		" GET /admin  200 ordinary",
		" POST /api/session  200 ordinary",
		"clerk GET /api/patients/1  403 forbidden record",
		"clerk GET /nowhere  404 ordinary",
		"clerk GET /downloads/x.csv y=1 404 ordinary",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	if got := p.Trespasses(); len(got) != 1 || got[0].Path != "/api/patients/1" || got[0].Status != http.StatusForbidden {
		t.Errorf("trespasses are %+v, want the patient's record alone", got)
	}
}
