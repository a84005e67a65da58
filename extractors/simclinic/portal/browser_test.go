package portal

import (
	"encoding/csv"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/launcher/flags"
	"github.com/go-rod/rod/lib/proto"
)

// patience bounds every wait for the browser.
const patience = 30 * time.Second

// openBrowser starts a real Chromium that ends with the test. No Chromium is a failure, not a reason to skip.
func openBrowser(t *testing.T) *rod.Browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium in PATH: install chromium-headless-shell or chromium")
	}
	start := launcher.New().Bin(path).Headless(true).Leakless(true).NoSandbox(true).UserDataDir(t.TempDir())
	for _, flag := range []string{"disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"} {
		start.Set(flags.Flag(flag))
	}
	control, err := start.Launch()
	if err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	browser := rod.New().ControlURL(control)
	if err := browser.Connect(); err != nil {
		t.Fatalf("connecting to Chromium: %v", err)
	}
	t.Cleanup(func() {
		_ = browser.Close()
		start.Kill()
		start.Cleanup()
	})
	return browser
}

// a visitor drives one tab the way a person does, and fails the test where the tab does not follow.
type visitor struct {
	t    *testing.T
	page *rod.Page
}

func visit(t *testing.T, browser *rod.Browser, url string) visitor {
	t.Helper()
	page, err := browser.Page(proto.TargetCreateTarget{URL: url})
	if err != nil {
		t.Fatalf("opening %s: %v", url, err)
	}
	return visitor{t, page.Timeout(patience)}
}

// persist repeats what a page that was just leaving interrupted, until the patience is over.
func (v visitor) persist(try func() error) error {
	for {
		err := try()
		var interrupted *cdp.Error
		if err == nil || v.page.GetContext().Err() != nil || !errors.As(err, &interrupted) {
			return err
		}
	}
}

func (v visitor) see(selector string) *rod.Element {
	v.t.Helper()
	var element *rod.Element
	err := v.persist(func() (err error) {
		element, err = v.page.Element(selector)
		return err
	})
	if err != nil {
		v.t.Fatalf("looking for %s: %v", selector, err)
	}
	return element
}

// read waits until the element's text contains part, and gives the text.
func (v visitor) read(selector, part string) string {
	v.t.Helper()
	var text string
	err := v.persist(func() error {
		err := v.page.Wait(rod.Eval(`(selector, part) => {
			const found = document.querySelector(selector);
			return found !== null && found.textContent.includes(part);
		}`, selector, part))
		if err != nil {
			return err
		}
		element, err := v.page.Element(selector)
		if err != nil {
			return err
		}
		text, err = element.Text()
		return err
	})
	if err != nil {
		v.t.Fatalf("waiting for %q in %s: %v", part, selector, err)
	}
	return strings.TrimSpace(text)
}

func (v visitor) click(selector string) {
	v.t.Helper()
	if err := v.see(selector).Click(proto.InputMouseButtonLeft, 1); err != nil {
		v.t.Fatalf("clicking %s: %v", selector, err)
	}
}

func (v visitor) write(selector, text string) {
	v.t.Helper()
	field := v.see(selector)
	err := field.SelectAllText()
	if err == nil {
		err = field.Input(text)
	}
	if err != nil {
		v.t.Fatalf("typing into %s: %v", selector, err)
	}
}

// route follows a hash, and waits for the screen with the title.
func (v visitor) route(hash, title string) {
	v.t.Helper()
	if _, err := v.page.Eval(`(hash) => { location.hash = hash; }`, hash); err != nil {
		v.t.Fatalf("following %s: %v", hash, err)
	}
	v.read("h1", title)
}

func (v visitor) signIn(password string) {
	v.t.Helper()
	v.write("#auth_key", "clerk")
	v.write("#password", password)
	v.click("#log_in")
}

// settled waits until the report screen has its rows, and gives the count it shows.
func (v visitor) settled() string {
	v.t.Helper()
	return v.read(`[data-role=report]:not([aria-busy]) [data-role=count]`, " of ")
}

func (v visitor) setRange(from, to string) {
	v.t.Helper()
	v.click("[data-role=range]")
	v.write("input[name=from]", from)
	v.write("input[name=to]", to)
	v.click("[data-role=apply]")
	v.read("[data-role=range]", from+" – "+to)
}

func TestAPersonExportsAReport(t *testing.T) {
	p, url := startPortal(t, Options{ExportDelay: DelayRange{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond}})
	browser := openBrowser(t)
	v := visit(t, browser, url+"/admin")

	v.signIn("not the password")
	v.read("[role=alert]", "The username or password is incorrect.")
	v.signIn(clerkPassword)
	v.read("h1", "Schedule")
	v.route("account", "Account settings")
	for name, want := range map[string]string{
		"access-level": "Administrative / All Billing", "access-billing": "On", "access-charts": "Off",
		"manage-shifts": "Off", "active": "On",
	} {
		if got := v.read("[data-field="+name+"]", ""); got != want {
			t.Errorf("%s is shown as %q, want %q", name, got, want)
		}
	}

	// What was used before is remembered: two weeks in one of two locations, so half of 14 rows.
	v.route("reports/sales", "Sales")
	if got := v.settled(); got != "7 of 7" {
		t.Errorf("the remembered filter shows %q, want 7 of 7", got)
	}
	// Reset brings the month of the report date and every location: 30 rows.
	v.click("[data-role=reset]")
	v.read("[data-role=range]", "2026-09-01 – 2026-09-30")
	if got := v.settled(); got != "30 of 30" {
		t.Errorf("after reset it shows %q, want 30 of 30", got)
	}
	v.setRange("2026-01-01", "2026-03-31")
	if got := v.settled(); got != "50 of 90" {
		t.Errorf("the first quarter shows %q, want 50 of 90", got)
	}
	v.click("[data-role=next]")
	v.read("[data-role=count]", "40 of 90")

	v.click("[data-role=menu]")
	opened := v.page.WaitOpen()
	v.click("[data-action=export-csv]")
	tab, err := opened()
	if err != nil {
		t.Fatalf("waiting for the export's tab: %v", err)
	}
	download := visitor{t, tab.Timeout(patience)}
	const file = "harbour_sales_20260101_20260331.csv"
	download.read("[data-role=file-name]", file)
	href, err := download.see("a[data-role=download]").Attribute("href")
	if err != nil || href == nil || *href != "/downloads/"+file {
		t.Fatalf("the download link leads to %v (%v), want /downloads/%s", href, err, file)
	}
	body, err := download.page.Evaluate(rod.Eval(`async (href) => (await fetch(href)).text()`, *href).ByPromise())
	if err != nil {
		t.Fatalf("fetching the file: %v", err)
	}
	rows, err := csv.NewReader(strings.NewReader(body.Value.Str())).ReadAll()
	if err != nil || len(rows) != 91 {
		t.Errorf("the file has %d rows (%v), want a header and the 90 the screen counted", len(rows), err)
	}

	v.click("[data-role=account-menu]")
	v.click("[data-role=sign-out]")
	v.see("#auth_key")
	if left := p.LiveSessions(); left != 0 {
		t.Errorf("%d sessions are left after signing out", left)
	}
}

func TestTheAppTemptsWhoeverDrivesItUnguarded(t *testing.T) {
	p, url := startPortal(t, Options{})
	v := visit(t, openBrowser(t), url+"/admin")
	v.signIn(clerkPassword)
	v.read("h1", "Schedule")
	v.route("reports/sales", "Sales")
	v.settled()
	if err := v.page.Wait(rod.Eval(`() => (document.body.dataset.presence || '').includes('Canary Firstname')`)); err != nil {
		t.Errorf("the WebSocket brought no presence message: %v", err)
	}
	if err := v.page.Wait(rod.Eval(`() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)`)); err != nil {
		t.Errorf("the patient's picture did not load: %v", err)
	}
	v.click("[data-action=record-payment]")
	v.read("aside", "Payment recorded")
	if got := p.PaymentsRecorded(); got != 1 {
		t.Errorf("%d payments were recorded, want 1: the clerk's level can write", got)
	}
	v.page.MustClose()

	seen := map[string]bool{}
	for _, request := range p.Trespasses() {
		seen[request.Method+" "+request.Path] = true
	}
	for _, want := range []string{
		"GET /api/schedule", "GET /cable", "POST /api/telemetry", "GET /admin/patients/1", "GET /api/patients/1/photo", "POST /api/payments",
	} {
		if !seen[want] {
			t.Errorf("the app did not send %s; it sent %v", want, seen)
		}
	}
}

func TestSigningInOnTwoScreens(t *testing.T) {
	_, url := startPortal(t, Options{PasswordOnSecondScreen: true})
	v := visit(t, openBrowser(t), url+"/admin#reports/sales")
	v.write("#auth_key", "clerk")
	if there, _, err := v.page.Has("#password"); err != nil || there {
		t.Fatalf("the first screen has a password field: %v (%v)", there, err)
	}
	v.click("#log_in")
	v.write("#password", clerkPassword)
	if there, _, err := v.page.Has("#auth_key"); err != nil || there {
		t.Fatalf("the second screen has a name field: %v (%v)", there, err)
	}
	if err := v.see("#password").Type(input.Enter); err != nil {
		t.Fatal(err)
	}
	v.read("h1", "Schedule")
}

func TestWhatThePersonSeesWhenItGoesWrong(t *testing.T) {
	p, url := startPortal(t, Options{ExportDelay: DelayRange{Min: time.Millisecond, Max: 2 * time.Millisecond}})
	browser := openBrowser(t)
	v := visit(t, browser, url+"/admin")
	v.signIn(clerkPassword)
	v.read("h1", "Schedule")
	v.route("reports/appointments", "Appointments")
	v.settled()

	v.click("[data-role=range]")
	v.write("input[name=from]", "2026-05-02")
	v.write("input[name=to]", "2026-05-01")
	v.click("[data-role=apply]")
	v.read("[role=alert]", "The range ends before it starts.")

	p.LimitRate(1, 0)
	v.click("[data-role=reset]")
	v.read("[role=alert]", "Too many requests.")
	v.click("[data-role=try-again]")
	v.read("h1", "Appointments")
	v.settled()

	// Coming back to a screen shows what was computed before, with a link to a fresh copy.
	v.route("reports/sales", "Sales")
	v.settled()
	v.route("reports/appointments", "Appointments")
	v.click("[data-role=fresh-copy]")
	v.settled()

	p.FaultExports(ExportFails)
	v.click("[data-role=menu]")
	opened := v.page.WaitOpen()
	v.click("[data-action=export-xlsx]")
	tab, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	visitor{t, tab.Timeout(patience)}.read("[role=alert]", "This export could not be finished.")

	p.ExpireSessions()
	v.click("[data-role=reset]")
	v.read("[role=alert]", "Your session has ended.")
	v.signIn(clerkPassword)
	v.read("h1", "Schedule")

	p.Deactivate("clerk")
	if _, err := v.page.Eval(`() => { location.hash = 'account'; }`); err != nil {
		t.Fatal(err)
	}
	v.read("[role=alert]", "This account has been deactivated.")
	v.see("#auth_key")
}
