package browser

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func startTestProxy(t *testing.T, portal string, rules []Rule) (*proxy, *Ledger) {
	t.Helper()
	p, err := newPolicy(Config{Origin: mustOrigin(t, portal), Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	ledger := newLedger()
	x, err := startProxy(proxyConfig{
		referee: newReferee(t.Context(), p, ledger, func(error) {}), reached: func(error) {}, access: func(Access) {},
		userAgent: func(string) string { return "tested" }, maxExport: 1 << 20, dial: (&net.Dialer{}).DialContext, now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.close)
	return x, ledger
}

// TestProxyAlone sends to the proxy what a browser would whose interception does not hold.
func TestProxyAlone(t *testing.T) {
	var mu sync.Mutex
	var received []string
	portal := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		received = append(received, r.Method+" "+r.URL.String()+" "+string(body))
		w.Header().Set(unreachableHeader, "forged")
		w.WriteHeader(http.StatusTeapot)
	}), nil)
	x, ledger := startTestProxy(t, portal, []Rule{
		{Purpose: "read", Method: "GET", Path: "/api/account"},
		{Purpose: "start", Method: "POST", Path: "/api/exports", Body: map[string][]string{"report": {"sales"}}},
	})
	through := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: x.address()})}}
	t.Cleanup(through.CloseIdleConnections)
	send := func(method, address, body string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := through.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer
	}
	for _, allowed := range []*http.Response{
		send("GET", portal+"/api/account", ""),
		send("POST", portal+"/api/exports", `{"report":"sales"}`),
	} {
		if allowed.StatusCode != http.StatusTeapot || allowed.Header.Get(unreachableHeader) != "" {
			t.Errorf("an allowed request is answered %d, headers %v", allowed.StatusCode, allowed.Header)
		}
	}
	other := strings.Replace(portal, "127.0.0.1", "localhost", 1)
	for _, refused := range []*http.Response{
		send("GET", portal+"/api/patients/1", ""),
		send("DELETE", portal+"/api/account", ""),
		send("POST", portal+"/api/exports", `{"report":"patients_list"}`),
		send("POST", portal+"/api/exports", `{"report":"`+strings.Repeat("x", maxRequestBody)+`"}`),
		send("GET", portal+"/api/account", "", "Upgrade", "websocket", "Connection", "Upgrade"),
		send("GET", other+"/api/account", ""),
	} {
		if refused.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s is answered %d", refused.Request.Method, refused.Request.URL, refused.StatusCode)
		}
	}
	if ledger.Refused() != 6 || ledger.Allowed() != 0 {
		t.Errorf("counted: %+v", ledger.Entries())
	}
	if ledger.RefusedWrites() != 3 {
		t.Errorf("%d refused writes to the portal, want 3: %+v", ledger.RefusedWrites(), ledger.Entries())
	}
	if got := connectThrough(t, x, strings.TrimPrefix(portal, "http://")); got != "403" {
		t.Errorf("a tunnel to the portal is answered %s", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"GET /api/account ", `POST /api/exports {"report":"sales"}`}; !slices.Equal(received, want) {
		t.Errorf("the portal received %q, want %q", received, want)
	}
}

// connectThrough asks for a tunnel and returns the status.
func connectThrough(t *testing.T, x *proxy, target string) string {
	t.Helper()
	c, err := net.Dial("tcp", x.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(line)[1]
}

func TestTunnelsLeadToThePortalOnly(t *testing.T) {
	x, ledger := startTestProxy(t, "https://clinic.janeapp.com", nil)
	for _, target := range []string{"evil.example:443", "clinic.janeapp.com:22", "clinic.janeapp.com.evil.example:443", "127.0.0.1:443"} {
		if got := connectThrough(t, x, target); got != "403" {
			t.Errorf("a tunnel to %s is answered %s", target, got)
		}
	}
	if ledger.Refused() != 4 {
		t.Errorf("counted: %+v", ledger.Entries())
	}
}

func TestDeadPortal(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	listener.Close()
	var mu sync.Mutex
	var answers []Answer
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules, OnAnswer: func(a Answer) {
		mu.Lock()
		defer mu.Unlock()
		answers = append(answers, a)
	}})
	page, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Navigate(address + "/page"); err == nil {
		t.Error("a page of a dead portal opens")
	}
	if err := s.Unreachable(); err == nil || !strings.Contains(err.Error(), "refuses connections") {
		t.Errorf("the portal is unreachable because of %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := (Answer{Purpose: "open a page", Method: "GET", Failure: "ConnectionFailed"}); !slices.Contains(answers, want) {
		t.Errorf("the answers are %+v", answers)
	}
}

// TestBrokenAnswersAreNotAskedForAgain has the portal close the connection on a POST: it must arrive once, also over
// connections that were used before.
func TestBrokenAnswersAreNotAskedForAgain(t *testing.T) {
	var mu sync.Mutex
	posts := 0
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			mu.Lock()
			posts++
			mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		htmlf(w, "x")
	}), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: []Rule{pageRules[0], {Purpose: "post", Method: "POST", Path: "/post"}}})
	page := open(t, s, address+"/page")
	got := eval(t, page, `async () => {
		let out = [];
		for (let i = 0; i < 3; i++) {
			await fetch('/page');
			out.push(await fetch('/post', {method: 'POST'}).then(() => 'answered', e => 'failed'));
		}
		return out.join();
	}`)
	mu.Lock()
	defer mu.Unlock()
	if got != "failed,failed,failed" || posts != 3 {
		t.Errorf("three requests ended %s and arrived %d times", got, posts)
	}
}

func TestStagesAndLimits(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { htmlf(w, "x") }), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: []Rule{
		pageRules[0],
		{Purpose: "look", Method: "GET", Path: "/api/session", Stage: "sign in", Limit: 1},
	}})
	page := open(t, s, address+"/page")
	try := func() string {
		return eval(t, page, `() => fetch('/api/session').then(() => 'sent', () => 'refused')`)
	}
	if got := try(); got != "refused" {
		t.Errorf("before its stage the request is %s", got)
	}
	s.Enter("sign in")
	if got := try(); got != "sent" {
		t.Errorf("in its stage the request is %s", got)
	}
	if got := try(); got != "refused" {
		t.Errorf("the second time the request is %s", got)
	}
	reasons := map[Reason]int{}
	for _, e := range s.Ledger().Entries() {
		if !e.Allowed {
			reasons[e.Reason] += e.Count
		}
	}
	if reasons[notNow] != 1 || reasons[tooOften] != 1 {
		t.Errorf("refused: %v", reasons)
	}
}

// TestHTTPSPortal checks that nothing differs for a portal that speaks TLS.
func TestHTTPSPortal(t *testing.T) {
	var mu sync.Mutex
	var received []string
	portal := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		received = append(received, r.URL.Path)
		mu.Unlock()
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Encoding", "gzip")
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "kept", HttpOnly: true, Secure: true})
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			out := gzip.NewWriter(w)
			io.WriteString(out, `<!doctype html><h1>Café</h1><script src=/assets/app.js></script>`)
			out.Close()
		case "/assets/app.js":
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			io.WriteString(w, `window.ran = true`)
		case "/api/account":
			cookie, _ := r.Cookie("sid")
			fmt.Fprint(w, cookie)
		case "/assets/worker.js":
			w.Header().Set("Content-Type", "text/javascript")
			io.WriteString(w, `try { new WebSocket('wss://'+location.host+'/cable').onerror = () => postMessage('error') } catch (e) { postMessage('thrown') }`)
		}
	}))
	defer portal.Close()
	roots := x509.NewCertPool()
	roots.AddCert(portal.Certificate())
	// The portal is reached under the name of a clinic, which this machine can't resolve.
	const address = "https://harbour.example.com"
	s := startSession(t, Config{
		dial: func(ctx context.Context, network, asked string) (net.Conn, error) {
			if asked != "harbour.example.com:443" {
				t.Errorf("the proxy dials %s", asked)
			}
			return (&net.Dialer{}).DialContext(ctx, network, portal.Listener.Addr().String())
		},
		Origin: mustOrigin(t, address), roots: roots,
		Rules: []Rule{
			pageRules[0],
			{Purpose: "load the script", Method: "GET", Path: "/assets/app.js"},
			{Purpose: "load a worker", Method: "GET", Path: "/assets/worker.js"},
			{Purpose: "read the account", Method: "GET", Path: "/api/account"},
		},
	})
	page := open(t, s, address+"/page")
	if err := page.WaitLoad(); err != nil {
		t.Fatal(err)
	}
	if got := eval(t, page, `() => document.querySelector('h1').textContent + ' ' + window.ran`); got != "Café true" {
		t.Errorf("the page shows %q", got)
	}
	if got := eval(t, page, `() => fetch('/api/account').then(r => r.text())`); got != "sid=kept" {
		t.Errorf("the cookie that came with the page is sent as %q", got)
	}
	if got := eval(t, page, `() => fetch('/api/patients/1').then(() => 'sent', () => 'refused')`); got != "refused" {
		t.Errorf("a forbidden request is %s", got)
	}
	sockets := map[string]string{
		"page":   `() => new Promise(done => { try { new WebSocket('wss://'+location.host+'/cable').onerror = () => done('error') } catch (e) { done('thrown') } })`,
		"worker": `() => new Promise(done => { new Worker('/assets/worker.js').onmessage = e => done(e.data) })`,
		"blob":   `() => new Promise(done => { new Worker(URL.createObjectURL(new Blob(["try { new WebSocket('wss://" + location.host + "/cable').onerror = () => postMessage('error') } catch (e) { postMessage('thrown') }"]))).onmessage = e => done(e.data) })`,
		"frame":  `() => new Promise(done => { const f = document.createElement('iframe'); document.body.append(f); try { new f.contentWindow.WebSocket('wss://'+location.host+'/cable').onerror = () => done('error') } catch (e) { done('thrown') } })`,
		"popup":  `() => new Promise(done => { const w = open('about:blank'); try { new w.WebSocket('wss://'+location.host+'/cable').onerror = () => done('error') } catch (e) { done('thrown') } })`,
	}
	for where, js := range sockets {
		eval(t, page, js)
		mu.Lock()
		if slices.Contains(received, "/cable") {
			t.Errorf("a WebSocket from a %s reached the portal", where)
		}
		mu.Unlock()
	}
	mu.Lock()
	defer mu.Unlock()
	for _, path := range received {
		if !slices.Contains([]string{"/page", "/assets/app.js", "/assets/worker.js", "/api/account"}, path) {
			t.Errorf("the portal received %s", path)
		}
	}
}

// What Chromium would save instead of show lies in a file for a moment, whatever becomes of it then: the browser never gets it. What a page
// asks for itself is kept in memory, and passes.
func TestNoFileReachesTheBrowser(t *testing.T) {
	const canary = "CanaryMaryPatient555"
	portal := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Disposition", r.URL.Query().Get("disposition"))
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		_, _ = io.WriteString(w, canary)
	}), nil)
	x, _ := startTestProxy(t, portal, []Rule{{Purpose: "read", Method: "GET", Path: "/page", Query: []string{"disposition", "type"}}})
	through := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: x.address()})}}
	t.Cleanup(through.CloseIdleConnections)
	for _, c := range []struct {
		mode, dest, disposition, mediaType string
		passes                             bool
	}{
		{"navigate", "document", "", "text/html; charset=utf-8", true},
		{"navigate", "document", "inline", "text/html", true},
		{"navigate", "document", "", "text/plain", true},
		{"navigate", "document", "", "application/json", true},
		{"navigate", "iframe", "", "image/svg+xml", true},
		{"navigate", "document", "", "", true},
		{"navigate", "document", "attachment", "text/html", false},
		{"navigate", "document", `Attachment; filename="a.html"`, "text/html", false},
		{"navigate", "document", "form-data", "text/html", false},
		{"navigate", "document", `attachment; filename="broken`, "text/html", false},
		{"navigate", "empty", "", "text/html", false}, // a link with the attribute download
		{"navigate", "document", "", "text/csv", false},
		{"navigate", "iframe", "", "application/pdf", false},
		{"navigate", "document", "", "application/octet-stream", false},
		{"", "", "attachment", "text/plain", false},
		{"", "", "", "application/octet-stream", true},
		{"cors", "empty", "attachment", "text/csv", true},
		{"no-cors", "image", "", "application/octet-stream", true},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, portal+"/page?"+url.Values{"disposition": {c.disposition}, "type": {c.mediaType}}.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Mode", c.mode)
		r.Header.Set("Sec-Fetch-Dest", c.dest)
		answer, err := through.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if passed := string(body) == canary; passed != c.passes || len(body) > 0 != c.passes {
			t.Errorf("%+v: status %d, %q", c, answer.StatusCode, body)
		}
		if !c.passes && answer.StatusCode != http.StatusNoContent {
			t.Errorf("%+v: status %d leads the page away", c, answer.StatusCode)
		}
	}
}
