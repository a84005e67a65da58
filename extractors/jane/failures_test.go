package jane_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

func TestRejectedCredentialsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		make  func(p *portal.Portal)
		pass  string
		cause extractors.Cause
	}{
		{"wrong password", func(*portal.Portal) {}, "wrong-horse", extractors.WrongPassword},
		{"locked", func(p *portal.Portal) { p.Lock("clerk") }, "correct-horse-battery", extractors.AccountLocked},
		{"deactivated", func(p *portal.Portal) { p.Deactivate("clerk") }, "correct-horse-battery", extractors.AccountDeactivated},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, url := startPortal(t, portal.Options{})
			test.make(p)
			cfg := config(url)
			cfg.Account = jane.NewCredentials("clerk", test.pass)
			source, err := jane.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				err = source.Reports(t.Context(), func(extractors.Report) error {
					t.Error("a report came")
					return nil
				})
				wantCause(t, err, test.cause)
			}
			if n := len(p.SignIns()); n != 1 {
				t.Errorf("the portal was asked to sign in %d times", n)
			}
			wantHarmless(t, p)
		})
	}
}

// TestAccess gives the account what it must not have, or takes what it needs: no report may be opened.
func TestAccess(t *testing.T) {
	t.Parallel()
	fitting := portal.Toggles{Billing: true}
	for _, test := range []struct {
		name    string
		level   portal.Level
		toggles portal.Toggles
		cause   extractors.Cause
		says    string
	}{
		{"front desk", portal.FrontDeskAll, fitting, extractors.PermissionMissing, "Front Desk"},
		{"no billing", portal.AdministrativeAllBilling, portal.Toggles{}, extractors.PermissionMissing, "Access Billing is Off"},
		{"charts", portal.AdministrativeAllBilling, portal.Toggles{Billing: true, Charts: true}, extractors.PermissionExcessive, "Access Charts is On"},
		{"shifts", portal.AdministrativeAllBilling, portal.Toggles{Billing: true, ManageShifts: true}, extractors.PermissionExcessive, "Manage Shifts is On"},
		{"owner", portal.AccountOwner, fitting, extractors.PermissionExcessive, "Account Owner"},
		{"both", portal.AdministrativeAllBilling, portal.Toggles{Charts: true}, extractors.PermissionExcessive, "Access Charts is On, Access Billing is Off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, url := startPortal(t, portal.Options{})
			p.SetAccess("clerk", test.level, test.toggles)
			reports, _, err := read(t, config(url))
			wantCause(t, err, test.cause)
			if !strings.Contains(err.Error(), test.says) || len(reports) > 0 {
				t.Errorf("%d reports and %v; want none, and the words %q", len(reports), err, test.says)
			}
			for _, r := range p.Requests() {
				if strings.HasPrefix(r.Path, "/api/reports") || strings.HasPrefix(r.Path, "/api/filters") {
					t.Errorf("the portal was asked for %s", r.Path)
				}
			}
			wantHarmless(t, p)
		})
	}
}

// whenAsked is an Options.BeforeRequest that does something once, before the first request whose path ends so.
func whenAsked(method, end string, do func()) func(portal.Request) {
	var once sync.Once
	return everyTime(method, end, func() { once.Do(do) })
}

// everyTime is an Options.BeforeRequest that does something before each request whose path ends so.
func everyTime(method, end string, do func()) func(portal.Request) {
	return func(r portal.Request) {
		if r.Method == method && strings.HasSuffix(r.Path, end) {
			do()
		}
	}
}

// asked counts the requests of a method whose path ends so.
func asked(p *portal.Portal, method, end string) (n int) {
	for _, r := range p.Requests() {
		if r.Method == method && strings.HasSuffix(r.Path, end) {
			n++
		}
	}
	return n
}

// TestFailuresOnTheWay makes a failure happen at a certain request of an export, every time that request comes. Nothing of
// the report may come, and what is tried again, and how often, is exactly this.
func TestFailuresOnTheWay(t *testing.T) {
	t.Parallel()
	deactivate := func(p *portal.Portal) { p.Deactivate("clerk") }
	expire := func(p *portal.Portal) { p.ExpireSessions() }
	unplug := func(p *portal.Portal) { p.Unplug() }
	limit := func(p *portal.Portal) { p.LimitRate(1, 90*time.Second) }
	silentLimit := func(p *portal.Portal) { p.LimitRate(1, 0) }
	spoil := func(fault portal.ExportFault) func(*portal.Portal) {
		return func(p *portal.Portal) { p.FaultExports(fault) }
	}
	// A report runs when its screen opens, after the reset, and with the range; and once more for a fresh copy of a result
	// that the attempt before has left.
	const ten, minute, longer = 10 * time.Second, time.Minute, 90 * time.Second
	// Who asks on a connection that turns out to be dead asks once more by himself.
	const anyTimes = 0
	for _, test := range []struct {
		name, method, path string
		do                 func(*portal.Portal)
		cause              extractors.Cause
		// asked is how often the portal saw the request; attempts what the failure says; signIns and waits what there was.
		asked, attempts, signIns int
		waits                    []time.Duration
	}{
		{"deactivated at the report", "GET", "/api/reports/claims", deactivate, extractors.AccountDeactivated, 1, 1, 1, nil},
		{"deactivated at the wait", "GET", "/status", deactivate, extractors.AccountDeactivated, 1, 1, 1, nil},
		{"deactivated at the preview", "GET", "/preview", deactivate, extractors.AccountDeactivated, 1, 1, 1, nil},
		{"deactivated at the file", "GET", "0.csv", deactivate, extractors.AccountDeactivated, 1, 1, 1, nil},
		{"signed out at the report", "GET", "/api/reports/claims", expire, extractors.SessionExpired, 2, 2, 2, nil},
		{"signed out at the wait", "GET", "/status", expire, extractors.SessionExpired, 2, 2, 2, nil},
		{"signed out at the preview", "GET", "/preview", expire, extractors.SessionExpired, 2, 2, 2, nil},
		{"signed out at the file", "GET", "0.csv", expire, extractors.SessionExpired, 2, 2, 2, nil},
		{"dead at the report", "GET", "/api/reports/claims", unplug, extractors.Network, anyTimes, 2, 1, []time.Duration{ten}},
		{"dead at the wait", "GET", "/status", unplug, extractors.Network, anyTimes, 2, 1, []time.Duration{ten}},
		{"dead at the file", "GET", "0.csv", unplug, extractors.Network, anyTimes, 2, 1, []time.Duration{ten}},
		{"limited at the report", "GET", "/api/reports/claims", limit, extractors.RateLimited, 4, 4, 1, []time.Duration{longer, longer, longer}},
		{"limited at the file", "GET", "0.csv", limit, extractors.RateLimited, 4, 4, 1, []time.Duration{longer, longer, longer}},
		{"limited without a time", "GET", "/status", silentLimit, extractors.RateLimited, 4, 4, 1, []time.Duration{minute, minute, minute}},
		{"limited for a day", "POST", "/api/exports", func(p *portal.Portal) { p.LimitRate(1, 24*time.Hour) }, extractors.RateLimited, 1, 1, 1, nil},
		{"maintenance", "GET", "/api/reports/claims", func(p *portal.Portal) { p.SetMaintenance(true) }, extractors.PortalMaintenance, 1, 1, 1, nil},
		{"maintenance at the file", "GET", "0.csv", func(p *portal.Portal) { p.SetMaintenance(true) }, extractors.PortalMaintenance, 1, 1, 1, nil},
		{"export fails", "POST", "/api/exports", spoil(portal.ExportFails), extractors.ExportIncomplete, 2, 2, 1, nil},
		{"other range", "POST", "/api/exports", spoil(portal.ExportOtherRange), extractors.ExportIncomplete, 2, 2, 1, nil},
		{"truncated", "POST", "/api/exports", spoil(portal.ExportTruncated), extractors.ExportIncomplete, 2, 2, 1, nil},
		{"empty", "POST", "/api/exports", spoil(portal.ExportEmpty), extractors.ExportIncomplete, 2, 2, 1, nil},
		{"announced as another", "POST", "/api/exports", spoil(portal.ExportOtherPreview), extractors.ExportIncomplete, 2, 2, 1, nil},
		{"more rows on the screen", "GET", "/api/reports/claims", func(p *portal.Portal) { p.MiscountReports(1, 1) }, extractors.ExportIncomplete, 7, 2, 1, nil},
		{"pages for files", "GET", "0.csv", func(p *portal.Portal) { p.PagesInsteadOfFiles(1) }, extractors.ExportIncomplete, 6, 2, 1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p *portal.Portal
			p, url := startPortal(t, portal.Options{BeforeRequest: everyTime(test.method, test.path, func() { test.do(p) })})
			cfg := config(url)
			cfg.Orders = orders("claims")
			var waits []time.Duration
			cfg.Wait = func(ctx context.Context, d time.Duration) error {
				waits = append(waits, d)
				return context.Cause(ctx)
			}
			reports, _, err := read(t, cfg)
			failure := wantCause(t, err, test.cause)
			if len(reports) > 0 {
				t.Error("a report came")
			}
			if n := asked(p, test.method, test.path); n != test.asked && test.asked > anyTimes || failure.Attempts != test.attempts {
				t.Errorf("the portal was asked %d times, want %d; the failure tells of %d attempts, want %d", n, test.asked, failure.Attempts, test.attempts)
			}
			if !slices.Equal(waits, test.waits) {
				t.Errorf("waited %v, want %v", waits, test.waits)
			}
			for _, r := range p.Trespasses() {
				t.Errorf("the portal received %s %s", r.Method, r.Path)
			}
			if n := len(p.SignIns()); n != test.signIns {
				t.Errorf("%d sign-ins, want %d", n, test.signIns)
			}
		})
	}
}

// TestPassingFailures makes each failure happen once: the report comes all the same, whole, and once.
func TestPassingFailures(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		do                 func(*portal.Portal)
		asked, signIns     int
	}{
		{"signed out", "GET", "/status", func(p *portal.Portal) { p.ExpireSessions() }, 2, 2},
		{"off the network", "GET", "/preview", func(p *portal.Portal) { p.Unplug() }, 0, 1},
		{"limited", "GET", "0.csv", func(p *portal.Portal) { p.LimitRate(1, time.Second) }, 2, 1},
		{"export fails", "POST", "/api/exports", func(p *portal.Portal) { p.FaultExports(portal.ExportFails) }, 2, 1},
		{"truncated", "POST", "/api/exports", func(p *portal.Portal) { p.FaultExports(portal.ExportTruncated) }, 2, 1},
		{"pages for files", "GET", "0.csv", func(p *portal.Portal) { p.PagesInsteadOfFiles(2) }, 3, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p *portal.Portal
			p, url := startPortal(t, portal.Options{BeforeRequest: whenAsked(test.method, test.path, func() { test.do(p) })})
			cfg := config(url)
			cfg.Orders = orders("claims")
			cfg.Wait = func(context.Context, time.Duration) error {
				p.Plug()
				return nil
			}
			sent := 0
			cfg.Budget = func(requests int) error { sent += requests; return nil }
			reports, ledger, err := read(t, cfg)
			if ledger.Allowed() != sent {
				t.Errorf("the ledger counts %d requests, %d were sent in all visits", ledger.Allowed(), sent)
			}
			if err != nil || len(reports) != 1 {
				t.Fatalf("%d reports, %v", len(reports), err)
			}
			if n := bytes.Count(reports[0].Body, []byte("\n")); n != 80 || reports[0].StatedRows != 79 {
				t.Errorf("the file has %d lines of %d stated rows, want a header and 79 rows", n, reports[0].StatedRows)
			}
			if n := asked(p, test.method, test.path); n != test.asked && test.asked > 0 || len(p.SignIns()) != test.signIns {
				t.Errorf("the portal was asked %d times after %d sign-ins, want %d and %d", n, len(p.SignIns()), test.asked, test.signIns)
			}
			wantHarmless(t, p)
		})
	}
}

// TestWhatCameStays has the second of two reports fail: the first was given, and is not taken back.
func TestWhatCameStays(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	cfg := config(url)
	cfg.Orders = orders("sales", "claims")
	source, err := jane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = source.Reports(t.Context(), func(r extractors.Report) error {
		got = append(got, r.Dataset)
		p.Deactivate("clerk")
		return nil
	})
	wantCause(t, err, extractors.AccountDeactivated)
	if len(got) != 1 || got[0] != "invoice_lines" {
		t.Errorf("the reports %v came", got)
	}
	// The failure says where the work ended.
	if !strings.Contains(err.Error(), "exporting claims 2026-01-01..2026-03-20") {
		t.Errorf("the error is %v", err)
	}
	wantHarmless(t, p)
}

func TestDeadPortal(t *testing.T) {
	t.Parallel()
	t.Run("refuses", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		url := "http://" + listener.Addr().String()
		listener.Close()
		_, _, err = read(t, config(url))
		wantCause(t, err, extractors.Network)
		if !strings.Contains(err.Error(), "refuses connections") {
			t.Errorf("the error does not say what is wrong: %v", err)
		}
	})
	t.Run("silent", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		cfg := config("http://" + listener.Addr().String())
		cfg.Timeouts.Open = time.Second
		_, _, err = read(t, cfg)
		wantCause(t, err, extractors.Network)
	})
	t.Run("drops", func(t *testing.T) {
		p, url := startPortal(t, portal.Options{})
		p.Unplug()
		_, _, err := read(t, config(url))
		wantCause(t, err, extractors.Network)
	})
	t.Run("silent later", func(t *testing.T) {
		hang := make(chan struct{})
		_, url := startPortal(t, portal.Options{BeforeRequest: func(r portal.Request) {
			if r.Path == "/api/reports/claims" {
				<-hang
			}
		}})
		// The portal can only stop when the request it hangs in ends.
		t.Cleanup(func() { close(hang) })
		cfg := config(url)
		cfg.Orders = orders("claims")
		cfg.Timeouts.Report = time.Second
		_, _, err := read(t, cfg)
		wantCause(t, err, extractors.Network)
	})
}

func TestBrowserCrash(t *testing.T) {
	t.Parallel()
	scratch := shortDir(t)
	p, url := startPortal(t, portal.Options{BeforeRequest: everyTime("GET", "/status", func() { killBrowser(t, scratch) })})
	cfg := config(url)
	cfg.Browser.ScratchParent = scratch
	begun := time.Now()
	_, _, err := read(t, cfg)
	// Another browser is started once.
	failure := wantCause(t, err, extractors.BrowserCrashed)
	if n := len(p.SignIns()); n != 2 || failure.Attempts != 2 {
		t.Errorf("%d sign-ins, and the failure tells of %d attempts; want 2", n, failure.Attempts)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v to notice", took)
	}
	wantNothingLeft(t, scratch)
}

// killBrowser kills the processes that run in a directory below parent.
func killBrowser(t *testing.T, parent string) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Error(err)
	}
	killed := 0
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, parent+"/") {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed++
			}
		}
	}
	if killed == 0 {
		t.Error("no browser was found to kill")
	}
}

func TestMissingBrowser(t *testing.T) {
	cfg := config("http://127.0.0.1:1")
	cfg.Browser.Executable = "/nowhere/chromium"
	source, err := jane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = source.Reports(t.Context(), nil)
	var failure *extractors.Failure
	if !errors.As(err, &failure) || failure.Cause != extractors.BrowserMissing || !strings.Contains(err.Error(), "FALLOFF_CHROMIUM") {
		t.Errorf("got %v", err)
	}
}

// TestChangedPages takes the profile's word for one element after the other and puts one in its place that the page does
// not have, as if the page had changed. Each must end in page_changed that names the element, before any report came.
func TestChangedPages(t *testing.T) {
	t.Parallel()
	original, err := os.ReadFile("profile.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, selector := range []string{
		`account: "#auth_key"`, `password: "#password"`, `submit: "#log_in"`, `signed_in: "[data-role=account-menu]"`,
		`level: "[data-field=access-level]"`, `selector: "[data-field=access-charts]"`,
		`filters: "form[data-role=filters]"`, `range: "[data-role=range]"`, `from: "input[name=from]"`, `apply: "[data-role=apply]"`,
		`count: "[data-role=count]"`, `menu_items: "[data-role=menu-items]"`,
		`item: "[data-action=export-csv]"`, `link: "a[data-role=download]"`,
	} {
		t.Run(selector, func(t *testing.T) {
			t.Parallel()
			key, _, _ := strings.Cut(selector, ":")
			changed := strings.Replace(string(original), selector, key+`: "[data-test=gone]"`, 1)
			if changed == string(original) {
				t.Fatalf("the profile has no %s", selector)
			}
			profile, err := jane.ParseProfile([]byte(changed))
			if err != nil {
				t.Fatal(err)
			}
			p, url := startPortal(t, portal.Options{})
			cfg := config(url)
			cfg.Profile, cfg.Orders = profile, orders("claims")
			cfg.Timeouts.Element, cfg.Timeouts.Report, cfg.Timeouts.Export = 10*time.Second, 10*time.Second, 10*time.Second
			reports, _, err := read(t, cfg)
			wantCause(t, err, extractors.PageChanged)
			if !strings.Contains(err.Error(), "[data-test=gone]") || len(reports) > 0 {
				t.Errorf("%d reports, %v", len(reports), err)
			}
			for _, r := range p.Trespasses() {
				t.Errorf("the portal received %s %s", r.Method, r.Path)
			}
		})
	}
}

func TestChangedTexts(t *testing.T) {
	t.Parallel()
	original, err := os.ReadFile("profile.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`range_text: "{from} – {to}"`, `range_text: "{from} to {to}"`},
		{`count_text: '^([0-9,]+) of ([0-9,]+)$'`, `count_text: '^([0-9,]+) von ([0-9,]+)$'`},
		{`fitting: ["Administrative / All Billing"]`, `fitting: ["Billing Clerk"]`},
		{`toggle_words: ["On", "Off"]`, `toggle_words: ["On", "Off", "Ja"]`},
	} {
		t.Run(change[1], func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(string(original), change[0], change[1], 1)
			if strings.Contains(change[1], "Ja") {
				changed = strings.Replace(changed, `must: "Off", otherwise: permission_excessive`, `must: "Ja", otherwise: permission_excessive`, 1)
			}
			profile, err := jane.ParseProfile([]byte(changed))
			if err != nil {
				t.Fatal(err)
			}
			_, url := startPortal(t, portal.Options{})
			cfg := config(url)
			cfg.Profile, cfg.Orders = profile, orders("claims")
			cfg.Timeouts.Element, cfg.Timeouts.Report = 3*time.Second, 3*time.Second
			want := extractors.PageChanged
			if strings.Contains(change[1], "Ja") {
				want = extractors.PermissionExcessive
			}
			reports, _, err := read(t, cfg)
			wantCause(t, err, want)
			if len(reports) > 0 {
				t.Errorf("%d reports came", len(reports))
			}
		})
	}
}

// TestAnotherClinicsFile has the portal hand out files of another clinic: the first run learns how this clinic's are named,
// from then on no other passes, also in a later process that has the state.
func TestAnotherClinicsFile(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	var state []byte
	cfg := config(url)
	cfg.KeepState = func(kept []byte) { state = kept }
	cfg.Orders = orders("claims", "sales")
	source, err := jane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	spoil := func() { p.FaultExports(portal.ExportOtherClinic, portal.ExportOtherClinic) }
	var came []string
	err = source.Reports(t.Context(), func(r extractors.Report) error {
		came = append(came, r.Order)
		spoil()
		return nil
	})
	failure := wantCause(t, err, extractors.ExportIncomplete)
	if len(came) != 1 || failure.Attempts != 2 || !strings.Contains(failure.Error(), "another clinic") || strings.Contains(failure.Error(), "elsewhere") {
		t.Errorf("%v came, then %v", came, failure)
	}

	spoil()
	cfg.State, cfg.Orders = state, orders("shift")[:1]
	reports, _, err := read(t, cfg)
	wantCause(t, err, extractors.ExportIncomplete)
	if len(reports) > 0 {
		t.Error("a report came")
	}
	// What was never downloaded was not on the way either.
	if n := asked(p, "GET", ".csv"); n != 1 {
		t.Errorf("%d files were downloaded, want the first alone", n)
	}
}
