package jane_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
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

// whenAsked is an Options.BeforeRequest that does something once, before the first request whose path has a part.
func whenAsked(method, part string, do func()) func(portal.Request) {
	var once sync.Once
	return func(r portal.Request) {
		if r.Method == method && strings.Contains(r.Path, part) {
			once.Do(do)
		}
	}
}

// TestFailuresOnTheWay makes a failure happen at a certain request of an export. Nothing of it may come.
func TestFailuresOnTheWay(t *testing.T) {
	deactivate := func(p *portal.Portal) { p.Deactivate("clerk") }
	expire := func(p *portal.Portal) { p.ExpireSessions() }
	unplug := func(p *portal.Portal) { p.Unplug() }
	limit := func(p *portal.Portal) { p.LimitRate(100, time.Minute) }
	for _, test := range []struct {
		name   string
		method string
		path   string
		do     func(*portal.Portal)
		cause  extractors.Cause
	}{
		{"deactivated at the report", "GET", "/api/reports/claims", deactivate, extractors.AccountDeactivated},
		{"deactivated at the wait", "GET", "/status", deactivate, extractors.AccountDeactivated},
		{"deactivated at the preview", "GET", "/preview", deactivate, extractors.AccountDeactivated},
		{"deactivated at the file", "GET", "0.csv", deactivate, extractors.AccountDeactivated},
		{"signed out at the report", "GET", "/api/reports/claims", expire, extractors.SessionExpired},
		{"signed out at the wait", "GET", "/status", expire, extractors.SessionExpired},
		{"signed out at the preview", "GET", "/preview", expire, extractors.SessionExpired},
		{"signed out at the file", "GET", "0.csv", expire, extractors.SessionExpired},
		{"dead at the report", "GET", "/api/reports/claims", unplug, extractors.Network},
		{"dead at the wait", "GET", "/status", unplug, extractors.Network},
		{"dead at the file", "GET", "0.csv", unplug, extractors.Network},
		{"limited at the report", "GET", "/api/reports/claims", limit, extractors.RateLimited},
		{"limited at the file", "GET", "0.csv", limit, extractors.RateLimited},
		{"maintenance", "GET", "/api/reports/claims", func(p *portal.Portal) { p.SetMaintenance(true) }, extractors.PortalMaintenance},
		{"export fails", "POST", "/api/exports", func(p *portal.Portal) { p.FaultExports(portal.ExportFails) }, extractors.ExportIncomplete},
		{"other range", "POST", "/api/exports", func(p *portal.Portal) { p.FaultExports(portal.ExportOtherRange) }, extractors.ExportIncomplete},
		{"pages for files", "POST", "/api/exports", func(p *portal.Portal) { p.PagesInsteadOfFiles(100) }, extractors.ExportIncomplete},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var p *portal.Portal
			p, url := startPortal(t, portal.Options{BeforeRequest: whenAsked(test.method, test.path, func() { test.do(p) })})
			cfg := config(url)
			cfg.Reports = []string{"claims"}
			reports, _, err := read(t, cfg)
			wantCause(t, err, test.cause)
			if len(reports) > 0 {
				t.Error("a report came")
			}
			for _, r := range p.Trespasses() {
				t.Errorf("the portal received %s %s", r.Method, r.Path)
			}
			if n := len(p.SignIns()); n != 1 {
				t.Errorf("%d sign-ins", n)
			}
		})
	}
}

// TestWhatCameStays has the second of two reports fail: the first was given, and is not taken back.
func TestWhatCameStays(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	cfg := config(url)
	cfg.Reports = []string{"sales", "claims"}
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

func TestAPageForAFileIsAskedForAgain(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	p.PagesInsteadOfFiles(1)
	cfg := config(url)
	cfg.Reports = []string{"claims"}
	reports, _, err := read(t, cfg)
	if err != nil || len(reports) != 1 || strings.Contains(string(reports[0].Body), "<") {
		t.Errorf("%d reports, %v", len(reports), err)
	}
}

func TestDeadPortal(t *testing.T) {
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
		cfg.Reports = []string{"claims"}
		cfg.Timeouts.Report = time.Second
		_, _, err := read(t, cfg)
		wantCause(t, err, extractors.Network)
	})
}

func TestBrowserCrash(t *testing.T) {
	t.Parallel()
	scratch := shortDir(t)
	_, url := startPortal(t, portal.Options{BeforeRequest: whenAsked("GET", "/status", func() { killBrowser(t, scratch) })})
	cfg := config(url)
	cfg.Browser.ScratchParent = scratch
	begun := time.Now()
	_, _, err := read(t, cfg)
	wantCause(t, err, extractors.BrowserCrashed)
	if took := time.Since(begun); took > 20*time.Second {
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
			cfg.Profile, cfg.Reports = profile, []string{"claims"}
			cfg.Timeouts.Element, cfg.Timeouts.Report, cfg.Timeouts.Export = 3*time.Second, 3*time.Second, 3*time.Second
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
			cfg.Profile, cfg.Reports = profile, []string{"claims"}
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
