package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"github.com/falloff-analytics/falloff/grafana-plugin/chromiumtest"
	"github.com/falloff-analytics/falloff/warehouse/access"
)

// grafana is a running Grafana, spoken to as a person with a password.
type grafana struct {
	url, user, password string
}

// running is the Grafana that GRAFANA_URL names. Without one the test is reported as not run.
func running(t *testing.T) grafana {
	t.Helper()
	g := grafana{url: strings.TrimRight(os.Getenv("GRAFANA_URL"), "/"), user: os.Getenv("GRAFANA_USER"), password: os.Getenv("GRAFANA_PASSWORD")}
	if g.url == "" {
		t.Skip("NOT RUN: GRAFANA_URL is not set, so no dashboard was opened in a real Grafana. Set it to the address of a Grafana " +
			"that has this plugin (GRAFANA_USER and GRAFANA_PASSWORD are admin/admin unless set).")
	}
	if g.user == "" {
		g.user = "admin"
	}
	if g.password == "" {
		g.password = "admin"
	}
	return g
}

// call speaks JSON with Grafana's API and fails the test on anything but 2xx and, where allowed, 404.
func (g grafana) call(t *testing.T, method, path string, body, into any) (status int) {
	t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	// A cleanup calls too, after the test's own context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, g.url+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(g.user, g.password)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("asking Grafana: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode >= 300 && response.StatusCode != http.StatusNotFound {
		t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, text)
	}
	if into != nil && response.StatusCode < 300 {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return response.StatusCode
}

// installed gives the address of the dashboard: the one that is provisioned there, over the data it has, or else one of
// our own over a query server with fixture marts, which goes with the test.
func (g grafana) installed(t *testing.T, d dashboard) (address string, provisioned bool) {
	t.Helper()
	if status := g.call(t, http.MethodGet, "/api/dashboards/uid/"+d.UID, nil, nil); status == http.StatusOK {
		t.Logf("opening the dashboard that is provisioned there")
		return g.url + "/d/" + d.UID, true
	}
	t.Logf("the dashboard is not provisioned there: opening it over fixture marts")
	// Whoever the tests sign in to Grafana as owns the clinic here.
	policy, err := access.Parse([]byte("version: 1\nclinics: [harbour-street]\npeople:\n  - login: "+strconv.Quote(g.user)+"\n    roles: [{role: clinic_owner, clinics: [harbour-street]}]\n"), "access.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return g.stage(t, policy).show(t, d), false
}

// signIn gives the browser the session of the person.
func (g grafana) signIn(t *testing.T, browser *rod.Browser) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"user": g.user, "password": g.password})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/login", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("signing in to Grafana as %s: status %d. Set GRAFANA_USER and GRAFANA_PASSWORD", g.user, response.StatusCode)
	}
	host, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	var cookies []*proto.NetworkCookieParam
	for _, c := range response.Cookies() {
		cookies = append(cookies, &proto.NetworkCookieParam{Name: c.Name, Value: c.Value, Domain: host.Hostname(), Path: "/", HTTPOnly: c.HttpOnly})
	}
	if err := browser.SetCookies(cookies); err != nil {
		t.Fatal(err)
	}
}

// complaints gathers what the page's console and scripts complain of.
type complaints struct {
	mu  sync.Mutex
	all []string
}

func (c *complaints) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, text)
}

func (c *complaints) listen(page *rod.Page) {
	go page.EachEvent(
		func(e *proto.RuntimeConsoleAPICalled) {
			if e.Type == proto.RuntimeConsoleAPICalledTypeError {
				var words []string
				for _, argument := range e.Args {
					words = append(words, argument.Value.String()+argument.Description)
				}
				c.add("console: " + strings.Join(words, " "))
			}
		},
		func(e *proto.RuntimeExceptionThrown) {
			c.add("exception: " + e.ExceptionDetails.Text + " " + e.ExceptionDetails.Exception.Description)
		},
		func(e *proto.LogEntryAdded) {
			if e.Entry.Level == proto.LogLogEntryLevelError {
				c.add("log: " + e.Entry.Text + " " + e.Entry.URL)
			}
		},
	)()
}

func (c *complaints) report(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, complaint := range c.all {
		// Grafana's settings page asks Grafana's own plugin catalogue, and without a way outside complains of that.
		if strings.Contains(complaint, "/api/gnet/") || strings.Contains(complaint, "fetch plugins from catalog") {
			continue
		}
		t.Errorf("the browser complains: %s", complaint)
	}
}

// panelStates tells of every panel whether it shows anything, as people would see it.
const panelStates = `() => [...document.querySelectorAll('section[data-testid^="data-testid Panel header"]')].map((panel) => {
  const text = panel.innerText;
  const drawn = [...panel.querySelectorAll('canvas')].some((c) => c.width > 0) ||
    panel.querySelectorAll('[role=gridcell], [role=cell]').length > 0 ||
    panel.querySelector('[data-falloff-shown]') !== null ||
    [...panel.querySelectorAll('[data-testid="data-testid Bar gauge value"], .flot-base, span')].some((s) => /\d/.test(s.textContent));
  return {
    title: panel.getAttribute('data-testid').replace('data-testid Panel header ', ''),
    drawn,
    noData: /\bNo data\b/.test(text),
    failed: panel.querySelector('[data-testid="data-testid Panel status error"]') !== null,
    loading: panel.querySelector('[aria-label="Panel loading bar"], [data-testid="data-testid panel-loading-bar"]') !== null,
    text: text.slice(0, 400),
  };
}).filter((panel) => panel.title !== '')`

type panelState struct {
	Title, Text                    string
	Drawn, NoData, Failed, Loading bool
}

func (s panelState) wrong() string {
	switch {
	case s.Failed:
		return "it shows an error"
	case s.NoData:
		return "it says No data"
	case s.Loading:
		return "it is still loading"
	case !s.Drawn:
		return "it shows nothing"
	default:
		return ""
	}
}

// saysWhyEmpty says that a panel shows nothing but its own sentence of why.
func (s panelState) saysWhyEmpty(d dashboard) bool {
	return slices.ContainsFunc(d.Panels, func(p panel) bool {
		why := p.FieldConfig.Defaults.NoValue
		return !s.Failed && !s.Loading && why != "" && strings.Contains(s.Text, why)
	})
}

func TestEveryPanelShowsDataInARealGrafana(t *testing.T) {
	g := running(t)
	browser := chromiumtest.Start(t)
	for _, d := range dashboards(t) {
		t.Run(d.UID, func(t *testing.T) {
			address, provisioned := g.installed(t, d)
			g.signIn(t, browser)
			page, err := browser.Page(proto.TargetCreateTarget{URL: "about:blank"})
			if err != nil {
				t.Fatal(err)
			}
			page = page.Timeout(2 * time.Minute)
			// Panels are drawn when they come into view: one tall view has them all.
			if err := page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: 1440, Height: 2400, DeviceScaleFactor: 1}); err != nil {
				t.Fatal(err)
			}
			var heard complaints
			heard.listen(page)
			if err := page.Navigate(address); err != nil {
				t.Fatal(err)
			}
			states := settle(t, page, d)
			keepScreenshot(t, page, d.UID)
			for _, s := range states {
				wrong := s.wrong()
				if provisioned && s.saysWhyEmpty(d) {
					continue // what lies there may have none of it
				}
				if wrong != "" {
					t.Errorf("panel %q: %s: %q", s.Title, wrong, s.Text)
				}
			}
			heard.report(t)
		})
	}
}

// The editors are what a person meets first: they must open in a real Grafana, filled, and complain of nothing.
func TestTheEditorsOpenInARealGrafana(t *testing.T) {
	g := running(t)
	browser := chromiumtest.Start(t)
	d := dashboards(t)[0]
	address, _ := g.installed(t, d)
	g.signIn(t, browser)
	var sources []struct{ UID, Type string }
	g.call(t, http.MethodGet, "/api/datasources", nil, &sources)
	at := slices.IndexFunc(sources, func(s struct{ UID, Type string }) bool { return s.Type == pluginID })
	if at < 0 {
		t.Fatal("Grafana has no data source of ours")
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	for _, editor := range []struct{ name, address, element, value string }{
		{"settings", g.url + "/connections/datasources/edit/" + sources[at].UID, "#falloff-url", "http"},
		{"query", address + separator + "editPanel=" + fmt.Sprint(d.Panels[0].ID), "[id^=falloff-query-]", "How fresh the data is"},
	} {
		t.Run(editor.name, func(t *testing.T) {
			page, err := browser.Page(proto.TargetCreateTarget{URL: "about:blank"})
			if err != nil {
				t.Fatal(err)
			}
			page = page.Timeout(time.Minute)
			if err := page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: 1366, Height: 768, DeviceScaleFactor: 1}); err != nil {
				t.Fatal(err)
			}
			var heard complaints
			heard.listen(page)
			if err := page.Navigate(editor.address); err != nil {
				t.Fatal(err)
			}
			element, err := page.Element(editor.element)
			if err != nil {
				keepScreenshot(t, page, editor.name)
				t.Fatalf("the editor did not open: %v", err)
			}
			if err := element.Wait(rod.Eval(`(start) => this.value.startsWith(start)`, editor.value)); err != nil {
				t.Errorf("the editor is not filled: %v", err)
			}
			keepScreenshot(t, page, editor.name)
			heard.report(t)
		})
	}
}

// settle waits until every panel that asks something shows data, says why it shows none, or shows an error, and gives what there is
// when that takes too long.
func settle(t *testing.T, page *rod.Page, d dashboard) []panelState {
	t.Helper()
	asking := 0
	for _, p := range d.Panels {
		if len(p.Targets) > 0 || p.Type == clinicPanel {
			asking++
		}
	}
	var states []panelState
	deadline := time.Now().Add(90 * time.Second)
	for time.Now().Before(deadline) {
		found, err := page.Eval(panelStates)
		if err != nil {
			t.Fatal(err)
		}
		states = nil
		if err := found.Value.Unmarshal(&states); err != nil {
			t.Fatal(err)
		}
		settled := 0
		for _, s := range states {
			if s.wrong() == "" || s.Failed || s.saysWhyEmpty(d) {
				settled++
			}
		}
		if settled == asking && len(states) == asking {
			break
		}
		if err := page.WaitIdle(500 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if err := page.WaitStable(300 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if len(states) != asking {
		t.Errorf("%d panels are shown that ask something, the dashboard has %d", len(states), asking)
	}
	return states
}

// keepScreenshot leaves a picture for people among the test's artifacts.
func keepScreenshot(t *testing.T, page *rod.Page, name string) {
	t.Helper()
	picture, err := page.Screenshot(true, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.ArtifactDir(), name+".png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("screenshot: %s", path)
}
