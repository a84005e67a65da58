package portal

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xuri/excelize/v2"
)

func TestAnExportTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, Options{ExportDelay: DelayRange{Min: time.Minute, Max: 2 * time.Minute}})
		defer p.Close()
		c := enter(t, p)
		id := c.export("sales", "csv")
		time.Sleep(59 * time.Second)
		if state, file := c.status(id); state != "working" || file != "" {
			t.Errorf("after 59 s the export is %s %q, want working", state, file)
		}
		const file = "harbour_sales_20260804_20260817.csv"
		c.ask("GET", "/downloads/"+file, nil).want(t, 404, "nothing at this address")
		time.Sleep(62 * time.Second)
		if state, got := c.status(id); state != "ready" || got != file {
			t.Errorf("after 121 s the export is %s %q, want ready %s", state, got, file)
		}
	})
}

func TestADefaultExportTakesAFifthToHalfASecond(t *testing.T) {
	p := newPortal(t, Options{})
	lowest, highest := time.Hour, time.Duration(0)
	for range 1000 {
		delay := p.drawDelay()
		lowest, highest = min(lowest, delay), max(highest, delay)
	}
	if lowest < 200*time.Millisecond || lowest > 220*time.Millisecond || highest < 480*time.Millisecond || highest > 500*time.Millisecond {
		t.Errorf("waits go from %v to %v, want 200 to 500 ms", lowest, highest)
	}
}

// finished makes an export and waits for it, under the test's own clock.
func finished(t *testing.T, c *caller, report, format string) (state, file string) {
	t.Helper()
	id := c.export(report, format)
	time.Sleep(2 * time.Second)
	synctest.Wait()
	return c.status(id)
}

func inBubble(t *testing.T, options Options, f func(t *testing.T, p *Portal, c *caller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		options.ExportDelay = brief
		p := newPortal(t, options)
		defer p.Close()
		c := enter(t, p)
		c.setFilters("2026-09-01", "2026-09-30", "", "")
		f(t, p, c)
	})
}

func csvRows(t *testing.T, body []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatalf("not a CSV: %v", err)
	}
	return rows
}

func TestFilesHaveTheirBytesTypeAndName(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, p *Portal, c *caller) {
		_, file := finished(t, c, "sales", "csv")
		got := c.ask("GET", "/downloads/"+file, nil)
		if file != "harbour_sales_20260901_20260930.csv" || got.Header.Get("Content-Disposition") != `attachment; filename="`+file+`"` ||
			got.Header.Get("Content-Type") != "text/csv; charset=utf-8" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s comes with %v", file, got.Header)
		}
		if rows := csvRows(t, got.body); len(rows) != 31 || rows[30][1] != "2026-09-30" {
			t.Errorf("the CSV has %d rows, want a header and 30", len(rows))
		}

		_, file = finished(t, c, "claims", "xlsx")
		got = c.ask("GET", "/downloads/"+file, nil)
		if file != "harbour_claims_20260901_20260930.xlsx" || !bytes.HasPrefix(got.body, []byte("PK\x03\x04")) ||
			got.Header.Get("Content-Type") != "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" {
			t.Errorf("%s begins with %q and comes with %v", file, got.body[:4], got.Header)
		}
		book, err := excelize.OpenReader(bytes.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		if rows, err := book.GetRows("Export"); err != nil || len(rows) != 31 {
			t.Errorf("the workbook's sheet has %d rows (%v), want a header and 30", len(rows), err)
		}

		preview := c.ask("GET", "/downloads/"+file+"/preview", nil)
		if !bytes.Contains(preview.body, []byte(`data-role="download" href="/downloads/`+file+`"`)) ||
			bytes.Count(preview.body, []byte("<td>Canary Firstname</td>")) != previewRows {
			t.Errorf("the preview does not link the file below its first %d rows: %s", previewRows, preview.body)
		}
	})
}

func TestARememberedPlaceNarrowsTheFileThoughNotItsName(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, p *Portal, c *caller) {
		_, whole := finished(t, c, "sales", "csv")
		c.setFilters("2026-09-01", "2026-09-30", "South", "")
		_, narrowed := finished(t, c, "sales", "csv")
		if narrowed != whole {
			t.Fatalf("the names differ: %s and %s", whole, narrowed)
		}
		rows := csvRows(t, c.ask("GET", "/downloads/"+narrowed, nil).body)
		if len(rows) != 16 {
			t.Errorf("the narrowed file has %d rows, want a header and 15", len(rows))
		}
		for _, row := range rows[1:] {
			if row[0] != "South" {
				t.Errorf("a row of %s is in the file of South", row[0])
			}
		}
	})
}

func TestWhatCannotBeExported(t *testing.T) {
	other := Account{Username: "other", Password: "other", Level: FullAccess, Toggles: Toggles{Billing: true}}
	desk := Account{Username: "desk", Password: "desk", Level: FrontDesk}
	inBubble(t, Options{Accounts: []Account{DefaultClerk(), other, desk}}, func(t *testing.T, p *Portal, c *caller) {
		ask := func(c *caller, report, format string) answered {
			return c.ask("POST", "/api/exports", map[string]string{"report": report, "format": format})
		}
		ask(c, "sales", "pdf").want(t, 422, "Excel or CSV")
		ask(c, "payroll", "csv").want(t, 422, "no such report")
		ask(enterAs(t, p, "desk", "desk"), "sales", "csv").want(t, 403, "Your access level does not allow this.")

		_, file := finished(t, c, "sales", "csv")
		stranger := enterAs(t, p, "other", "other")
		for _, path := range []string{"/downloads/" + file, "/downloads/" + file + "/preview", "/downloads/" + file + "/status"} {
			stranger.ask("GET", path, nil).want(t, 404, "nothing at this address")
		}
	})
}

func TestExportsThatGoWrong(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, p *Portal, c *caller) {
		p.FaultExports(ExportFails, ExportEmpty, ExportTruncated, ExportOtherRange)
		if state, file := finished(t, c, "sales", "csv"); state != "failed" || file != "" {
			t.Errorf("the failing export is %s %q", state, file)
		}
		_, file := finished(t, c, "sales", "csv")
		if rows := csvRows(t, c.ask("GET", "/downloads/"+file, nil).body); len(rows) != 1 {
			t.Errorf("the empty export has %d rows, want the header alone", len(rows))
		}
		_, file = finished(t, c, "sales", "xlsx")
		cut := c.ask("GET", "/downloads/"+file, nil).body
		if _, err := excelize.OpenReader(bytes.NewReader(cut)); err == nil || !bytes.HasPrefix(cut, []byte("PK")) {
			t.Errorf("the truncated workbook of %d bytes opens", len(cut))
		}
		_, file = finished(t, c, "sales", "csv")
		if file != "harbour_sales_20260801_20260830.csv" {
			t.Errorf("the export of another range is called %s", file)
		}
		// And then it is over.
		_, file = finished(t, c, "sales", "csv")
		p.PagesInsteadOfFiles(1)
		page := c.ask("GET", "/downloads/"+file, nil)
		if page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
			t.Errorf("instead of a page came %d %v", page.StatusCode, page.Header)
		}
		if rows := csvRows(t, c.ask("GET", "/downloads/"+file, nil).body); len(rows) != 31 {
			t.Errorf("asked again, the file has %d rows, want a header and 30", len(rows))
		}
	})
}

func TestClosingGivesUpRunningExports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(t, Options{ExportDelay: DelayRange{Min: time.Hour, Max: time.Hour}})
		c := enter(t, p)
		id := c.export("sales", "csv")
		began := time.Now()
		p.Close()
		if waited := time.Since(began); waited > 0 {
			t.Errorf("closing waited %v", waited)
		}
		if state, _ := c.status(id); state != "working" {
			t.Errorf("the export given up is %s", state)
		}
		c.ask("POST", "/api/exports", map[string]string{"report": "sales", "format": "csv"}).want(t, 503, "maintenance")
	})
}
