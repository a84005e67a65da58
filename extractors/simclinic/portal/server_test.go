package portal

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

const clerkPassword = "correct-horse-battery"

// startPortal serves the fake clinic on loopback until the test ends.
func startPortal(t *testing.T, options Options) (*Portal, string) {
	t.Helper()
	p := newPortal(t, options)
	url, stop, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return p, url
}

func newPortal(t *testing.T, options Options) *Portal {
	t.Helper()
	p, err := New(newFakeClinic(), options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// caller is a client without a browser: it keeps the cookie and the token, and asks the handler directly.
type caller struct {
	t       *testing.T
	handler http.Handler
	cookies map[string]*http.Cookie
	csrf    string
}

// answered is what came back.
type answered struct {
	*http.Response
	body []byte
}

var bootPattern = regexp.MustCompile(`(?s)<script type="application/json" id="boot">(.*?)</script>`)

// open loads the app's page, as a browser does before anything else.
func open(t *testing.T, p *Portal) *caller {
	t.Helper()
	c := &caller{t: t, handler: p.Handler(), cookies: map[string]*http.Cookie{}}
	page := c.ask("GET", "/admin", nil)
	found := bootPattern.FindSubmatch(page.body)
	if found == nil {
		t.Fatalf("the app's page tells nothing to boot from: %s", page.body)
	}
	var told boot
	if err := json.Unmarshal(found[1], &told); err != nil {
		t.Fatalf("the app's page tells %s: %v", found[1], err)
	}
	if told.Clinic != p.results.current().Name() {
		t.Errorf("the app's page names the clinic %q", told.Clinic)
	}
	c.csrf = told.CSRF
	return c
}

// enter opens the app and signs in as the clerk.
func enter(t *testing.T, p *Portal) *caller {
	t.Helper()
	return enterAs(t, p, "clerk", clerkPassword)
}

func enterAs(t *testing.T, p *Portal, username, password string) *caller {
	t.Helper()
	c := open(t, p)
	if got := c.signIn(username, password); got.StatusCode != http.StatusOK {
		t.Fatalf("signing in as %s: %d %s", username, got.StatusCode, got.body)
	}
	return c
}

func (c *caller) ask(method, path string, body any) answered {
	c.t.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	request := httptest.NewRequest(method, path, sent)
	for _, cookie := range c.cookies {
		request.AddCookie(cookie)
	}
	if method != "GET" && c.csrf != "" {
		request.Header.Set("X-CSRF-Token", c.csrf)
	}
	recorder := httptest.NewRecorder()
	c.handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	for _, cookie := range response.Cookies() {
		c.cookies[cookie.Name] = cookie
	}
	got := answered{response, recorder.Body.Bytes()}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		var told struct {
			CSRF string `json:"csrf"`
		}
		if err := json.Unmarshal(got.body, &told); err != nil {
			c.t.Fatalf("%s %s answers %s: %v", method, path, got.body, err)
		}
		if told.CSRF != "" {
			c.csrf = told.CSRF
		}
	}
	return got
}

func (c *caller) signIn(username, password string) answered {
	return c.ask("POST", "/api/session", map[string]string{"username": username, "password": password})
}

// want fails the test unless the answer has the status and, where it refuses, the message.
func (a answered) want(t *testing.T, status int, message string) {
	t.Helper()
	if a.StatusCode != status || !bytes.Contains(a.body, []byte(message)) {
		t.Errorf("answered %d %s, want %d with %q", a.StatusCode, a.body, status, message)
	}
}

func (c *caller) setFilters(from, to, location, staff string) answered {
	return c.ask("PUT", "/api/filters", filtersForm{From: from, To: to, Location: location, Staff: staff})
}

func (c *caller) run(report, query string) reportPage {
	c.t.Helper()
	got := c.ask("GET", "/api/reports/"+report+query, nil)
	if got.StatusCode != http.StatusOK {
		c.t.Fatalf("report %s%s answers %d %s", report, query, got.StatusCode, got.body)
	}
	var page reportPage
	if err := json.Unmarshal(got.body, &page); err != nil {
		c.t.Fatal(err)
	}
	return page
}

func (c *caller) export(report, format string) (id string) {
	c.t.Helper()
	got := c.ask("POST", "/api/exports", map[string]string{"report": report, "format": format})
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(got.body, &made); err != nil || made.ID == "" {
		c.t.Fatalf("exporting %s answers %d %s", report, got.StatusCode, got.body)
	}
	return made.ID
}

func (c *caller) status(id string) (state, file string) {
	c.t.Helper()
	got := c.ask("GET", "/downloads/"+id+"/status", nil)
	var told struct{ State, File string }
	if err := json.Unmarshal(got.body, &told); err != nil {
		c.t.Fatalf("status of %s: %d %s", id, got.StatusCode, got.body)
	}
	return told.State, told.File
}

// brief is an export wait that is over at once under a clock that is not real.
var brief = DelayRange{Min: time.Second, Max: time.Second}
